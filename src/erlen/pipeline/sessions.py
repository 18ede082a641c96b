"""Floor 6: when a session is opened and saved: at first use, before the first byte, then closed."""

import inspect
from typing import Any, Protocol

from erlen.context import Context
from erlen.exceptions import OutsideContextError
from erlen.exchange.response import Response
from erlen.exchange.websocket import State, WebSocket
from erlen.pipeline.adapt import Async, adapt
from erlen.protocols import Application, RawHeaders
from erlen.signals import discard


class _App(Application, Protocol):
    """What sessions need of the application."""

    session_interface: Any


class Sessions:
    """The sessions of one application, by the interface in its seat.

    Attributes:
        is_eager: Whether opening may wait for something, so that it must happen before the hooks.
    """

    __slots__ = ("_app", "_interface", "_open", "_save", "is_eager")

    def __init__(self, app: _App) -> None:
        """The interface of now is kept."""
        self._app = app
        self._interface = app.session_interface
        lazy: bool = getattr(self._interface, "lazy", False)
        self.is_eager = not lazy or inspect.iscoroutinefunction(self._interface.open_session)
        self._open = adapt(self._interface.open_session)
        self._save: Async | None = None
        if not lazy or inspect.iscoroutinefunction(self._interface.save_session):
            self._save = adapt(self._interface.save_session)

    async def open(self, context: Context) -> None:
        """Open the session by an interface that may wait for its store."""
        self._keep(context, await self._open(self._app, context.exchange))

    def open_now(self, context: Context) -> Any:
        """Open the session at its first use and return it.

        Raises:
            OutsideContextError: The interface must be awaited, and nothing awaited it here.
        """
        if self.is_eager:
            _ = context.exchange
            raise OutsideContextError(
                f"The session of {type(self._interface).__name__} must be awaited, and this "
                "context did not. Use it inside of an exchange or of 'async with' a context."
            )
        session = self._interface.open_session(self._app, context.exchange)
        if hasattr(session, "__await__"):
            discard([session])
            raise TypeError(
                f"open_session() of {type(self._interface).__name__} gave something to await, but "
                "the class says that it needs no I/O. Set lazy = False in the class."
            )
        self._keep(context, session)
        return context.opened_session

    def _keep(self, context: Context, session: Any) -> None:
        if session is None:
            session = self._interface.make_null_session(self._app)
        try:
            session.accessed = False
        except AttributeError:
            raise TypeError(
                f"open_session() of {type(self._interface).__name__} returned {session!r} of type "
                f"{type(session).__name__}. Return an object of a subclass of Session, or None."
            ) from None
        context.opened_session = session
        context.is_engaged = True
        exchange = context.exchange
        if isinstance(exchange, WebSocket):
            if exchange.state is State.CONNECTING:
                exchange.add_accept_headers = lambda: self._accept_headers(context)
            else:
                _close(session)  # the handshake is answered: nothing can be saved any more
        elif context.answering:
            _close(session)

    async def _accept_headers(self, context: Context) -> RawHeaders:
        """Save a WebSocket's session; return the fields that go with the accept."""
        response: Response = self._app.response_class()
        await self.save(context, response)
        return [pair for pair in response.headers.raw() if pair[0] in _HANDSHAKE_FIELDS]

    async def save(self, context: Context, response: Response) -> None:
        """Save the session into *response*; from now on changing it raises.

        Of a WebSocket it is saved with the answer to the handshake, and not again when the socket
        ends with an error: no response goes out then.

        Raises:
            Exception: What the interface raised; nothing may be lost without a word.
        """
        session = context.opened_session
        if context.line.is_websocket and context.websocket.state is not State.CONNECTING:
            return
        if not self._interface.is_null_session(session):
            if self._save is None:
                saving = self._interface.save_session(self._app, session, response)
                if saving is not None and inspect.isawaitable(saving):  # by a decorator, super()
                    await saving
            else:
                await self._save(self._app, session, response)
        _close(session)


_HANDSHAKE_FIELDS = {b"set-cookie", b"vary", b"cache-control"}


def _close(session: Any) -> None:
    """Close a session; one of a user's own class need not know how."""
    close = getattr(session, "close", None)
    if close is not None:
        close()
