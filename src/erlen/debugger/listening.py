"""Floor 8: what an application of erlen tells by its signals: failures, and how far it has come."""

import functools
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any

from erlen.app import Erlen
from erlen.context import current_context
from erlen.debugger.failures import Failures
from erlen.debugger.live import current_exchange
from erlen.pipeline.adapt import Async
from erlen.signals import (
    before_render_template,
    got_background_exception,
    got_request_exception,
    got_serving_exception,
    got_websocket_exception,
    request_finished,
    request_started,
    template_rendered,
    websocket_started,
)


class Listening:
    """The receivers of one debugger, as long as it lives.

    All are ``async def``, so that they run in the task of the exchange, where its variables are.
    """

    def __init__(self, app: Erlen, failures: Failures) -> None:
        """Listen to *app* and keep in *failures* what fails."""
        self._failures = failures
        got_request_exception.connect(self._failed, sender=app)
        got_websocket_exception.connect(self._failed, sender=app)
        got_background_exception.connect(self._failed_beside, sender=app)
        got_serving_exception.connect(self._failed_beside, sender=app)
        request_started.connect(self._matched, sender=app)
        websocket_started.connect(self._matched, sender=app)
        request_finished.connect(self._handled, sender=app)
        before_render_template.connect(self._template_began, sender=app)
        template_rendered.connect(self._template_ended, sender=app)
        app.around_view = _after(app.around_view, functools.partial(_timed, app))

    async def _failed(self, app: Erlen, *, exception: BaseException, **_: Any) -> None:
        if not app.debug:
            return
        await self._handled(app)
        await _keep_for_later()
        self._failures.add(exception)

    async def _failed_beside(self, app: Erlen, *, exception: BaseException, **_: Any) -> None:
        if app.debug:
            self._failures.add(exception)

    async def _matched(self, _app: object, **_: Any) -> None:
        if (exchange := current_exchange.get()) is not None:
            exchange.matched = perf_counter()

    async def _handled(self, _app: object, **_: Any) -> None:
        if (exchange := current_exchange.get()) is not None:
            exchange.handled = perf_counter()

    async def _template_began(self, _app: object, **_: Any) -> None:
        if (exchange := current_exchange.get()) is not None:
            exchange.template_began = perf_counter()

    async def _template_ended(self, _app: object, **_: Any) -> None:
        if (exchange := current_exchange.get()) is not None:
            exchange.template += perf_counter() - exchange.template_began


async def _keep_for_later() -> None:
    """Have ready for a console what can be had only while the exchange goes on."""
    exchange, context = current_exchange.get(), current_context.get(None)
    if exchange is not None and exchange.arriving is not None:
        await exchange.arriving.read_ahead()
    if context is not None and context.scope is not None and context.opened_session is None:
        with suppress(Exception):  # an interface of the user's
            context.line.sessions.open_now(context)


_Around = Callable[[Async], Async]


def _after(inner: _Around | None, outer: _Around) -> _Around:
    """Return what wraps by *inner*, if it is there, and then by *outer*."""
    return outer if inner is None else lambda view: outer(inner(view))


def _timed(app: Erlen, view: Async) -> Async:
    """Return *view* so that it notes when it was called and when it had ended."""
    if not app.debug:
        return view

    @functools.wraps(view)
    async def timed(*args: Any, **kwargs: Any) -> Any:
        exchange = current_exchange.get()
        if exchange is None:
            return await view(*args, **kwargs)
        exchange.view_began = perf_counter()
        try:
            return await view(*args, **kwargs)
        finally:
            exchange.view_ended = perf_counter()

    return timed
