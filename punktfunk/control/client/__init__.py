"""The reference client of punktfunk/1: find a host, pair with it, keep a session. Its window: ``window``."""
