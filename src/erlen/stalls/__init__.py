"""Floor 5: what holds the event loop is named while it holds it, in debug mode.

A coroutine that blocks keeps every other one from running, and nothing tells: the server is only
slow, or silent. :func:`watching` has a thread look after the loop.
"""

from erlen.stalls.watch import Watch, watching

__all__ = ["Watch", "watching"]
