"""Measurements that a user can repeat: the bodies of ``punktfunk bench`` and of ``benchmarks``."""
