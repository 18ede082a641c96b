"""Floor 8: the test client, its errors, and the ASGI conduct checker."""

from erlen.testing.blocking import BlockingClient
from erlen.testing.client import Client
from erlen.testing.conduct import ConductChecker, ConductError
from erlen.testing.cookies import StoredCookie
from erlen.testing.deadlines import DeadlineExceeded
from erlen.testing.lifespan import LifespanError
from erlen.testing.response import Response
from erlen.testing.websocket import WebSocketRejected, WebSocketSession

__all__ = [
    "BlockingClient",
    "Client",
    "ConductChecker",
    "ConductError",
    "DeadlineExceeded",
    "LifespanError",
    "Response",
    "StoredCookie",
    "WebSocketRejected",
    "WebSocketSession",
]
