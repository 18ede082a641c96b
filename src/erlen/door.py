"""Floor 5: what a server calls, and what a server of the wrong kind is told."""

import functools
from collections.abc import Callable
from typing import Any, Self

from erlen.protocols import ASGIApp, Receive, Scope, Send


class Entrance:
    """What servers see of an application: a callable that leads to its ASGI application.

    Attributes:
        asgi_app: The ASGI application of the moment; wrap it, ``app.asgi_app = M(app.asgi_app)``.
    """

    # PERF: a slot is read in C where a property would be a call, 0.1 us for each request.
    __slots__ = ("__call__", "_asgi_app")
    __call__: Callable[..., Any]
    _asgi_app: ASGIApp

    @property
    def asgi_app(self) -> ASGIApp:
        """Served by whoever calls the application."""
        return self._asgi_app

    @asgi_app.setter
    def asgi_app(self, asgi_app: ASGIApp) -> None:
        self._asgi_app = asgi_app
        self.__call__ = Door(self)

    def lead_to(self, entry: ASGIApp) -> None:
        """Make *entry*, which is known to be sound, the ASGI application.

        PERF: a partial is called in C; the door is 0.25 µs of 2.5 that a small request takes.
        """
        self.asgi_app = entry
        if type(entry) is functools.partial:
            self.__call__ = entry


class Door(functools.partial[Any]):
    """``app(scope, receive, send)``; called the WSGI way it says what to do.

    A subclass of ``partial`` around a coroutine function, because servers ask
    ``inspect.iscoroutinefunction(app.__call__)`` to tell ASGI 3 from ASGI 2.

    Attributes:
        app: The application; its ``asgi_app`` of the moment is called.
    """

    app: Entrance

    def __new__(cls, app: Entrance) -> Self:
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
