"""The GameStream host: HTTP, pairing, RTSP, control stream, sessions."""
