"""A TCP proxy that cuts connections where a test says, as a failing network would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

Verdict = Literal["pass", "cut", "pass, then cut"]
"""What becomes of what a client sent: it may also reach the server, while the answer is lost."""

COMMIT = b"\x00\x02\xb0\x12\x00\x00"
"""A COMMIT of Bolt: its length, a structure of no fields, its tag, and the end of the message."""


class CuttingProxy:
    """Forwards connections to ``port``. ``judge`` sees what clients send, piece by piece."""

    def __init__(self, port: int, judge: Callable[[bytes], Verdict] = lambda sent: "pass") -> None:
        self.judge = judge
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def uri(self) -> str:
        return f"bolt://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection that is open now."""
        with self._lock:
            cut, self._open = self._open, set()
        for end in cut:
            _break(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _break(self._listener)
        self.cut()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    _break(client)
                    continue
                with self._lock:
                    self._open |= {client, server}
                for work in (self._forward, self._answer):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        silenced = False
        with suppress(OSError):
            while sent := client.recv(1 << 16):
                verdict = "cut" if silenced else self.judge(sent)
                if verdict == "pass, then cut":
                    # The answer is lost, but the server shall have had the time to give one.
                    _shut(client)
                    server.sendall(sent)
                    threading.Event().wait(0.2)
                    break
                if verdict == "cut":
                    break
                server.sendall(sent)
        _break(client)
        _break(server)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while answer := server.recv(1 << 16):
                client.sendall(answer)
        _break(client)
        _break(server)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _break(end: socket.socket) -> None:
    _shut(end)
    end.close()
