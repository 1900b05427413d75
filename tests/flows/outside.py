"""Everything outside that an agent may try to reach: it listens on loopback, and notes who came."""

import socket
import threading
from types import TracebackType
from typing import Self


class Outside:
    """A TCP and a UDP port. `reached` says what came, and must stay empty where nothing may get out."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._accept, self._receive)]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            self.reached.append("tcp")
            connection.close()

    def _receive(self) -> None:
        while (data := self._udp.recv(1 << 16)) != b"end":
            self.reached.append(f"udp {data[:20]!r}")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", ("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join()
        self._udp.close()
