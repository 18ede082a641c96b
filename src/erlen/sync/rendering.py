"""Floor 8: rendering templates in the thread of the caller; loads Jinja2.

The coroutines of :class:`erlen.templating.Renderer` are run here without an event loop: what they
await is done in the thread before it returns, so they end in one step. Only what has to be awaited
goes over the bridge: ``async def`` context processors and receivers of signals, and what a template
calls or reads that is awaitable.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from contextlib import closing
from inspect import isawaitable
from typing import Any, ParamSpec, TypeVar

import jinja2
from blinker import NamedSignal

from erlen.context import Context
from erlen.pipeline.adapt import plain_of
from erlen.signals import discard, emit_now
from erlen.sync.bridge import Each, settle, wait_for
from erlen.templating import Environment, Renderer
from erlen.templating.rendering import Fragments, give_each

P = ParamSpec("P")
T = TypeVar("T")

#: How errors call what waits.
_NAME = "render_template()"


class ThreadRenderer(Renderer):
    """Renders where it is called, by the environment whose templates do not await but wait.

    PERF: a small page costs 12 µs and a table of 100 rows 123, where Jinja alone takes 9.4 and 352
    (CPython 3.11); over the bridge they took 130 and 570.
    """

    def environment(self) -> Environment:
        """Return the blocking one."""
        return super().environment().blocking(self)

    async def call(self, processor: Callable[[], Awaitable[Any]]) -> Any:
        """Call a context processor; one that is ``def`` at once, for this is its thread."""
        provided = (plain_of(processor) or processor)()
        return self.wait(provided) if isawaitable(provided) else provided

    async def tell(self, signal: NamedSignal, running: Context, /, **values: Any) -> None:
        """Call the receivers, and have awaited what they give to be awaited."""
        waiting = emit_now(signal, running.app, **values)
        if waiting:
            _wait_or_discard(waiting, _await_each, waiting)

    async def write(self, template: jinja2.Template, rendered: Any) -> str:
        """Join what is rendered; in a thread nobody has to be let in between."""
        with closing(self._plain(template, rendered)) as fragments:
            try:
                return "".join(fragments)
            except Exception:  # noqa: BLE001  # it is raised again, with the template's lines
                template.environment.handle_exception()

    def fragments(self, template: jinja2.Template, rendered: Any) -> AsyncGenerator[str, None]:
        """Give what is rendered, without a wait in between."""
        return give_each(self._plain(template, rendered))

    def _plain(self, template: jinja2.Template, rendered: Any) -> Fragments:
        """Return a plain generator; over the bridge for a template made from text to be awaited."""
        return Each(_NAME, rendered) if template.environment.is_async else rendered

    async def pause(self) -> None:
        """Go on: the system gives other threads their turn."""

    # --- for templates (erlen.templating.blocking.Waiting) ----------------------------------------

    def wait(self, value: Awaitable[T], /) -> T:
        """Return what *value* gives when it is awaited."""
        return _wait_or_discard([value], settle, value)

    def iterate(self, items: AsyncIterable[T], /) -> Iterable[T]:
        """Return the items, each waited for when it is asked for."""
        return Each(_NAME, items)


def _wait_or_discard(
    waiting: Iterable[Awaitable[Any]],
    function: Callable[P, Coroutine[Any, Any, T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Wait for *function*, which awaits *waiting*, unless its task has ended."""
    try:
        return wait_for(_NAME, function, *args, **kwargs)
    except BaseException:
        discard(waiting)
        raise


async def _await_each(waiting: Iterable[Awaitable[Any]]) -> None:
    for each in waiting:
        await each


renderer = ThreadRenderer()


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what *coroutine* returns, which has to wait for nothing.

    Raises:
        BaseException: What it raised, itself.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} awaited something in a thread. Wait for it by wait_for().")


def iterate_chunks(chunks: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Give what *chunks* gives, which has to wait for nothing, and close it in the end."""
    try:
        while (chunk := finish(_next(chunks))) is not None:
            yield chunk
    finally:
        finish(chunks.aclose())


async def _next(chunks: AsyncGenerator[T, None]) -> T | None:
    return await anext(chunks, None)
