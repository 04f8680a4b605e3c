"""libpipewire by cffi, without a compiler: loop, connection, streams, PODs. Knows nothing of video or sound.

Everything of one :class:`Loop` is used by one thread, the one that opened it. Callbacks run inside
``Loop.iterate`` and nowhere else.
"""
