"""Floor 8: WSGI in both directions: their applications served here, ours served there."""

from erlen.wsgi.mounted import WSGIApp

__all__ = ["WSGIApp"]
