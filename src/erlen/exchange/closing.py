"""Floor 3: what made a body is closed at its end; what fails then is logged."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio

from erlen.exchange.chunks import Chunks, is_asynchronous

#: Seconds that cleaning up may take when a response was given up.
CLOSE_SECONDS = 5.0

_logger = logging.getLogger("erlen")


async def close_all(iterables: Iterable[Chunks], run_sync: Callable[..., Awaitable[Any]]) -> None:
    """Close what has an ``aclose`` or ``close``, the latter by *run_sync*, so that it ends now.

    Closing again is harmless. What is raised is logged: the response is decided.
    """
    for each in iterables:
        if is_asynchronous(each):
            close = getattr(each, "aclose", None)
            if close is not None:
                await isolated(close)
        elif (close := getattr(each, "close", None)) is not None:
            # The client may have left just now; a thread cannot be stopped anyway.
            with anyio.CancelScope(shield=True):
                await isolated(run_sync, close)


async def isolated(function: Callable[..., Awaitable[Any]], *args: Any) -> None:
    """Await a call at the end of a response, and what it returns; log what it raises."""
    called = args[0] if args else function
    try:
        result = await function(*args)
        if result is not None and inspect.isawaitable(result):
            await result
    except Exception as error:
        if isinstance(error, RuntimeError) and "ignored GeneratorExit" in str(error):
            _logger.error(  # noqa: TRY400  # the sentence says it all
                "%r yielded when it was closed, so that it has not come to its end. "
                "Do not yield in 'finally'.",
                getattr(called, "__self__", called),
            )
        else:
            _logger.exception("%r failed at the end of a response.", called)
    except BaseExceptionGroup as group:
        # A task group around a yield wraps even what aclose() ends the generator by.
        if group.split(GeneratorExit)[1] is not None:
            raise
