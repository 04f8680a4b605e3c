"""``punktfunk dissect``: a captured session, message by message. Offline; nothing here opens a socket.

Without secrets only the outside of QUIC and of sealed packets shows. A secrets file (in the usual format; a
host or client writes it if the variable SSLKEYLOGFILE names a file) opens QUIC, and the Welcome in it the
media; a session's key and salt alone open only the media.
"""
