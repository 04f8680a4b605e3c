"""Paired benchmarks: ``python -m benchmarks.NAME [--json FILE]``."""
