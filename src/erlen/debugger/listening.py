"""Floor 8: what an application of erlen tells by its signals: failures, and how far it has come."""

from time import perf_counter
from typing import Any

from erlen.app import Erlen
from erlen.debugger.failures import Failures
from erlen.debugger.live import current_exchange
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

    async def _failed(self, app: Erlen, *, exception: BaseException, **_: Any) -> None:
        await self._failed_beside(app, exception=exception)
        await self._handled(app)

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
