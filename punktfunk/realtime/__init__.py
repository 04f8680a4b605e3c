"""Threads that must not wait. No Trio here. Control sees only the names of this file."""
