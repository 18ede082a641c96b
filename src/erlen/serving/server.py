"""Floor 8: uvicorn's server, ended so that nothing hangs and nothing in flight is lost."""

import logging
import signal
import socket
import sys
import time
from types import FrameType
from typing import Any, NoReturn

import anyio
import uvicorn
from anyio.lowlevel import current_token
from uvicorn.config import STARTUP_FAILURE

from erlen.app import Erlen
from erlen.serving.terminal import say
from erlen.serving.unread import impatient

#: Seconds that WebSockets have to close with 1001, before uvicorn closes them with 1012.
WEBSOCKET_SECONDS = 1.0
#: Seconds that requests which uvicorn has cancelled have to clean up, before the lifespan ends.
CLEANUP_SECONDS = 0.5
#: Seconds that uvicorn waits before it looks whether requests are left; they count as grace, too.
_PAUSE = 0.1


class Server(uvicorn.Server):
    """uvicorn's server, which tells the application at once that it is about to end.

    The first CTRL+C or SIGTERM ends it: nothing new is accepted, WebSockets and event streams end
    by themselves, requests have ``timeout_graceful_shutdown`` seconds to finish and are cancelled
    then, the lifespan ends. A second CTRL+C ends it where it stands, and a third one what holds up
    the event loop.
    """

    def __init__(self, config: uvicorn.Config, start_line: str) -> None:
        """*start_line* is written when the application has started."""
        super().__init__(config)
        self._start_line = start_line
        self._began: float | None = None
        self._loop: Any = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, listen, and say so."""
        self._loop = current_token().native_token
        if (app := self._find_app()) is not None:
            config = self.config
            config.http_protocol_class = impatient(config.http_protocol_class, app)
            if config.ws_protocol_class is not None:
                config.ws_protocol_class = impatient(config.ws_protocol_class, app)
        # uvicorn ends the lifespan at the moment at which it cancels requests: what they clean up
        # by, such as a pool of connections, would be closed beneath them.
        self._end_lifespan = self.lifespan.shutdown
        self.lifespan.shutdown = self._end_application
        await super().startup(sockets)
        say(self._start_line)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # uvicorn's
        """Begin the end at the first signal, break off at the second CTRL+C.

        uvicorn's own notes the signal and raises it again at the end, so that the program would die
        of a SIGTERM although it ended in order.
        """
        if not self.should_exit:
            self.should_exit = True
            self._begin_shutdown()
        elif sig == signal.SIGINT:
            self._break_off()

    def _break_off(self) -> None:
        if self.force_exit or self._loop is None:
            _interrupt()  # the third CTRL+C: something holds up the event loop
        self.force_exit = True
        # Else there was a traceback of everything that is cancelled.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        # Raised in whatever runs now, it would be caught there as that one's failure.
        self._loop.call_soon_threadsafe(_interrupt)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is being served, then the application."""
        self._begin_shutdown()  # of an application that was not there yet at the signal
        for server in self.servers:
            server.close()
        await self._wait_for_websockets()
        await super().shutdown(sockets)
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)

    async def _end_application(self) -> None:
        """End the lifespan when requests that were cancelled have ended, or had their time."""
        with anyio.move_on_after(CLEANUP_SECONDS):
            while self.server_state.tasks:  # noqa: ASYNC110  # uvicorn tells nobody
                await anyio.sleep(0.01)
        await self._end_lifespan()

    def _begin_shutdown(self) -> None:
        if self._began is None:
            self._began = time.monotonic()
        if (app := self._find_app()) is not None:
            app.begin_shutdown()

    def _find_app(self) -> Erlen | None:
        """Return the application, which uvicorn may have wrapped, once it is loaded."""
        served = getattr(self.config, "loaded_app", None)
        while not (served is None or isinstance(served, Erlen)):
            served = getattr(served, "app", None)
        return served

    async def _wait_for_websockets(self) -> None:
        """Return when none is open, or a second or three quarters of the grace after the signal.

        What is left of the grace then is uvicorn's. That is more than a view is waited for.
        """
        assert self._began is not None
        grace = self.config.timeout_graceful_shutdown
        limit = WEBSOCKET_SECONDS if grace is None else min(WEBSOCKET_SECONDS, grace * 0.75)
        with anyio.move_on_after(limit - (time.monotonic() - self._began)):
            while self._has_websockets():  # noqa: ASYNC110  # uvicorn tells nobody
                await anyio.sleep(0.01)
        if grace is not None:
            left = max(0.0, grace - _PAUSE - (time.monotonic() - self._began))
            self.config.timeout_graceful_shutdown = left  # type: ignore[assignment]  # as float too

    def _has_websockets(self) -> bool:
        kind = self.config.ws_protocol_class
        return kind is not None and any(
            isinstance(connection, kind) for connection in self.server_state.connections
        )


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt
