"""Functions over arrays and nothing else, compiled by Numba. Each has its slow twin in realtime/reference."""
