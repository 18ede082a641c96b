"""Floor 3: context variables that cross between a task and a thread."""

from collections.abc import Callable
from contextvars import Context, ContextVar, Token, copy_context
from functools import partial
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

# COMPAT: where sniffio is installed, anyio notes the running library in this variable. A thread
# runs none: with the note, ``anyio.run()`` in a ``def`` view would refuse to start.
_running_library: ContextVar[str | None]
try:
    from sniffio import current_async_library_cvar as _running_library
except ImportError:
    _running_library = ContextVar("erlen.no_library", default=None)

#: Variables that one side has only from the other, so that they can be unset again.
Added: TypeAlias = dict[ContextVar[Any], Token[Any]]

_MISSING: Any = object()


def without_library(function: Callable[..., T]) -> Callable[..., T]:
    """Return what calls *function* in a thread that runs no event loop.

    PERF: that is *function* itself, where the caller has no such note: under most servers.
    """
    if _running_library.get() is None:
        return function
    return partial(_call_without_library, function)


def _call_without_library(function: Callable[..., T], *args: Any) -> T:
    library = _running_library.set(None)
    try:
        return function(*args)
    finally:
        _running_library.reset(library)


def adopt(context: Context, added: Added) -> None:
    """Set for the caller what another has set in its copy of the context variables.

    Args:
        context: The copy.
        added: What the caller has only from there. New ones are noted in it; those that are unset
            there by now are unset here.
    """
    for variable, value in context.items():
        # PERF: as a rule they are the same; then this is all, 0.06 us for each.
        if variable.get(_MISSING) is not value and variable is not _running_library:
            is_new = variable not in copy_context()
            token = variable.set(value)
            if is_new:
                added[variable] = token
    if added:
        for variable in [variable for variable in added if variable not in context]:
            variable.reset(added.pop(variable))
