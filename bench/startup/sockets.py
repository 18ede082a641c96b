"""What an idle WebSocket occupies in the server, by the memory of the process before and after."""

import base64
import os
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from bench.servers import Server, serving

#: Opened before the first look, so that what the first sockets need once is not counted.
FIRST = 50
#: Seconds that the server has to settle before each look.
_PAUSE = 0.3


def bytes_per_socket(python: Path, peer: str, count: int) -> float:
    """Return the bytes of each of *count* idle WebSockets, the server's own part included."""
    _allow_descriptors(count + FIRST + 100)
    app = f"bench.peers.{peer}:websocket"
    # Nobody answers pings here, and a server closes a WebSocket that does not.
    options = ("--factory", "--ws-ping-interval", "3600")
    with serving(python, app, *options) as server, ExitStack() as held:
        before = _memory_with(FIRST, server, held)
        after = _memory_with(count, server, held)
    return (after - before) / count


def _memory_with(more: int, server: Server, held: ExitStack) -> int:
    """Open *more* sockets, which *held* will close, and return the memory of the server then."""
    for _ in range(more):
        held.enter_context(_opened(server.port))
    time.sleep(_PAUSE)
    return server.memory


def _opened(port: int) -> socket.socket:
    """Return a connection on which a WebSocket was accepted and nothing was sent."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    key = base64.b64encode(os.urandom(16)).decode()
    asked = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    connection.sendall(asked.encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            break
        answer += piece
    if not answer.startswith(b"HTTP/1.1 101 "):
        raise AssertionError(f"The WebSocket was answered with {answer!r}.")
    return connection


def _allow_descriptors(count: int) -> None:
    """Raise the limit of open files, which the server inherits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
