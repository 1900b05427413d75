"""Whom a TLS client wants to speak to, as its first message says.

A tunnel is opened to a host's address, and thousands of strangers' sites answer at the same address of a content
network. So the name in the ClientHello must be the name that the tunnel was asked for. OpenSSL reads the message.
"""

import ssl


class Greeting:
    """Takes the first bytes of a tunnel until the ClientHello is whole, and judges it.

    `host` is the canonical name that it must ask for; None: it must ask for none, as for an IP address.
    """

    MOST_BYTES = 64 << 10

    def __init__(self, host: str | None) -> None:
        self._host = host
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = self._named
        self._server = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.received = bytearray()
        self.ok = False
        self.asked_for: str | None = None

    @property
    def alert(self) -> bytes:
        """What tells the client why it was refused, in its own protocol; may be empty."""
        return self._outgoing.read()

    def add(self, data: bytes) -> bool:
        """Take more bytes. Returns whether `ok` is decided; the bytes are kept in `received`."""
        self.received += data
        self._incoming.write(data)
        try:
            self._server.do_handshake()
        except ssl.SSLWantReadError:
            return len(self.received) > self.MOST_BYTES
        except ssl.SSLError:  # always, for the handshake never goes on: at the name, or because this is no TLS
            return True
        return True

    def _named(self, _: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int:
        self.asked_for = name
        self.ok = (name.lower() if name else None) == self._host
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
