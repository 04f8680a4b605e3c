"""libpulse by cffi, for machines whose sound server is PulseAudio: connection, modules, streams, defaults."""
