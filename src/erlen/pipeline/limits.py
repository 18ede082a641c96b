"""Floor 6: what limits the run of one view: a deadline, and the client who waits for it.

Both wrap the view at the freeze, so that a route without them pays nothing.
"""

import logging
from typing import Any, NamedTuple, Self

import anyio

from erlen.context import Context, current
from erlen.exceptions import ClientDisconnected, ServiceUnavailable
from erlen.exchange.interrupting import Interruption
from erlen.pipeline.adapt import Async
from erlen.spawning import Child, call_later, spawn
from erlen.wire.urls import printable

#: Seconds after which somebody looks whether the client is still there.
#: PERF: a view that is faster costs a timer, 4 µs, and not a task.
PATIENCE = 0.05


class Limits(NamedTuple):
    """Limits of the views of one rule.

    Attributes:
        timeout: Seconds that a view has, ``None`` for no limit.
        cancel_on_disconnect: Whether it is cancelled when the client leaves; ``None``: by the
            configuration.
    """

    timeout: float | None = None
    cancel_on_disconnect: bool | None = None

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Self:
        """Take the limits out of the options of a route.

        Raises:
            ValueError: The timeout is no time, or the rule is a WebSocket's.
        """
        timeout = options.pop("timeout", None)
        cancels = options.pop("cancel_on_disconnect", None)
        if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
            raise ValueError(
                f"timeout={timeout!r} is no time. Give seconds above 0, or None for no limit."
            )
        if options.get("websocket") and (timeout is not None or cancels is not None):
            raise ValueError(
                "A WebSocket has no timeout= or cancel_on_disconnect=. Bound its parts by "
                "anyio.move_on_after(); its receive() and send() raise when the client leaves."
            )
        return cls(timeout, cancels)

    def applied_to(self, view: Async, cancels_by_default: bool) -> Async:
        """Return *view* within these limits; itself when there are none."""
        cancels = self.cancel_on_disconnect
        if cancels_by_default if cancels is None else cancels:
            view = _while_connected(view)
        return view if self.timeout is None else _within(view, self.timeout)


def _within(view: Async, seconds: float) -> Async:
    """Return *view* with a deadline: 503, and a line in the log."""

    async def limited(**view_args: Any) -> Any:
        context = current()
        with anyio.move_on_after(seconds) as scope:
            context.limit_view(scope)
            return await _with_children(context, scope, view, view_args)
        await _raise_failure(context)
        logging.getLogger(context.app.name).warning(
            "%s %s took longer than its timeout of %s s and was cancelled.",
            printable(context.scope["method"]),
            printable(context.path),
            seconds,
        )
        raise ServiceUnavailable

    return limited


def _while_connected(view: Async) -> Async:
    """Return *view* so that it is cancelled when its client leaves."""

    async def watched(**view_args: Any) -> Any:
        value = None
        context = current()
        was_failing = False
        with Interruption() as interruption:
            watch = _Watch(context, interruption)
            try:
                value = await _with_children(context, interruption.scope, view, view_args)
            finally:
                was_failing = interruption.scope.cancel_called
                await watch.end()
        if was_failing or interruption.is_cancelled:
            await _raise_failure(context)
            raise ClientDisconnected("The client left, and its view was cancelled.")
        return value

    return watched


async def _with_children(
    context: Context, scope: anyio.CancelScope, view: Async, view_args: dict[str, Any]
) -> Any:
    """Await *view* and what it starts, so that *scope* limits all of it."""
    context.adopt_children(scope)
    value = await view(**view_args)
    await context.join_children()
    return value


async def _raise_failure(context: Context) -> None:
    """Raise what a child has raised, if that has cancelled the scope."""
    if context.children is not None and context.children.has_failed:
        await context.join_children()


class _Watch:
    """Interrupts a view when the client leaves. It looks after :data:`PATIENCE` seconds first."""

    __slots__ = ("_child", "_context", "_interruption", "_timer")

    def __init__(self, context: Context, interruption: Interruption) -> None:
        self._context = context
        self._interruption = interruption
        self._child: Child | None = None
        self._timer = call_later(PATIENCE, self._begin)

    def _begin(self) -> None:
        self._child = spawn(self._look)

    async def _look(self) -> None:
        await self._context.request.wait_disconnected()
        await self._interruption.cancel()

    async def end(self) -> None:
        """Stop looking."""
        self._timer.cancel()
        if self._child is not None:
            self._child.cancel()
            with anyio.CancelScope(shield=True):
                await self._child.wait()
