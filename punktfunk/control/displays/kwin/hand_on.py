"""Connects to a Wayland socket, hands the connection on and stays until nobody wants it: run by the launcher.

Only the standard library, as the launcher is an interpreter without any packages. It is run as a program,
with a socket as its standard input; it is never imported by the host.
"""

import contextlib
import socket
import sys


def main() -> int:
    """Send one connected socket over standard input; stay while the other end is open."""
    with socket.socket(fileno=0) as host, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as compositor:
        compositor.connect(sys.argv[1])
        socket.send_fds(host, [b"1"], [compositor.fileno()])
        compositor.close()
        # KWin looks at /proc/PID/exe again whenever it judges a connection: who made it must be there.
        with contextlib.suppress(ConnectionError):
            host.recv(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
