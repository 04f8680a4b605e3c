"""Input by emulated input servers (EIS) through libei: Mutter, gamescope, KWin by its portal."""
