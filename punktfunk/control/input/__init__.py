"""Injectors: input events become real input."""
