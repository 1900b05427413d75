"""Ports for servers that are stopped and started again."""

import secrets
import socket

_FIRST, _COUNT = 20_000, 12_000
"""Below those that the kernel hands out: whoever asks it for any port must not get one whose server is away."""


def free_port() -> int:
    """A port of loopback that nobody listens on, and that nobody is given by chance."""
    while True:
        port = _FIRST + secrets.randbelow(_COUNT)  # not `random`, which is the same in all processes of the tests
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
