"""What a request that was given up must not do: arrive later.

The kernel goes on sending what was written to a connection, for up to a quarter of an hour and also after the connection was closed
(`tcp_retries2`, https://docs.kernel.org/networking/ip-sysctl.html). A machine that was cut off and comes back would so hand over a
text that was meanwhile proved absent and sent again by another. TCP_USER_TIMEOUT ends that where there is one (on Linux):
https://man7.org/linux/man-pages/man7/tcp.7.html
"""

import socket


def options(seconds: float) -> list[tuple[int, int, int]]:
    """Socket options (level, name, value): what the other side has not confirmed within `seconds` is dropped."""
    name = getattr(socket, "TCP_USER_TIMEOUT", None)
    return [(socket.IPPROTO_TCP, name, int(seconds * 1000))] if name is not None else []


def limit(sock: socket.socket, seconds: float) -> socket.socket:
    """The same for a socket that is there already; returns it."""
    for option in options(seconds):
        sock.setsockopt(*option)
    return sock
