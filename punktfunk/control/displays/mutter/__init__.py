"""Mutter and GNOME: virtual monitors by screen cast, on the desktop that runs or on one of our own."""
