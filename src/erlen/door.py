"""Floor 5: what a server calls, and what a server of the wrong kind is told."""

import functools
from typing import Any, Protocol, Self

from erlen.protocols import ASGIApp, Receive, Scope, Send


class Inside(Protocol):
    """What stands behind the door: an application."""

    asgi_app: ASGIApp


class Door(functools.partial[Any]):
    """``app(scope, receive, send)``; called the WSGI way it says what to do.

    A subclass of ``partial`` around a coroutine function, because servers ask
    ``inspect.iscoroutinefunction(app.__call__)`` to tell ASGI 3 from ASGI 2.

    Attributes:
        app: The application; its ``asgi_app`` of the moment is called.
    """

    app: Inside

    def __new__(cls, app: Inside) -> Self:
        """*app* is what stands behind the door."""
        door = super().__new__(cls, _asgi_3)
        door.app = app
        return door

    def __call__(self, scope: Any, receive: Any, send: Any = None) -> Any:
        """Serve one scope; ``TypeError`` for the two arguments of a WSGI server."""
        # COMPAT: daphne passes them by name.
        if send is None:
            raise TypeError(
                "The application was called with two arguments, as a WSGI server calls. erlen is "
                "an ASGI application: serve it with 'erlen --app module:app run' or "
                "'uvicorn module:app'."
            )
        return self.app.asgi_app(scope, receive, send)


async def _asgi_3(scope: Scope, receive: Receive, send: Send) -> None:
    """Show servers what kind of callable the application is; never called."""
