"""Floor 8: WSGI in both directions: their applications served here, ours served there."""

from erlen.wsgi.mounted import WSGIApp
from erlen.wsgi.served import WSGIAdapter

__all__ = ["WSGIAdapter", "WSGIApp"]
