"""Floor 5: an environment whose templates do not await but wait, for ``def`` functions.

Its templates are compiled to plain generators. Where those of an asynchronous environment await
what may be awaitable, these hand what is awaitable to who renders them, and go on with the result.
"""

import functools
import inspect
from collections import UserDict
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import jinja2
from jinja2.runtime import Context

from erlen.templating.code import KINDS, looking

E = TypeVar("E", bound=jinja2.Environment)
Function: TypeAlias = Callable[..., Any]


class Waiting(Protocol):
    """Who renders, and waits for what a template meets."""

    def wait(self, value: Awaitable[Any], /) -> Any:
        """Return what *value* gives when it is awaited."""
        ...

    def iterate(self, items: AsyncIterable[Any], /) -> Iterable[Any]:
        """Return the items, each waited for when it is asked for."""
        ...


def make_blocking(environment: E, waiting: Waiting) -> E:
    """Return a twin of *environment* whose templates wait by *waiting*.

    Filters, tests, globals, policies and the loader are shared: what is added to them later is
    known in both. Compiled templates are not. What is assigned to *environment* later is not seen.
    """
    made = environment.overlay(enable_async=False)
    made.code_generator_class = looking(environment.code_generator_class)
    settle, each = _settler(waiting), _iterator(waiting)
    made.extend(erlen_settle=settle, erlen_each=each)
    made.filters = cast(Any, _Words(cast(Any, environment.filters), settle))
    made.tests = cast(Any, _Words(cast(Any, environment.tests), settle))
    return made


def _settler(waiting: Waiting) -> Function:
    """Return the function that gets each value that its type does not tell to be plain."""

    def settle(value: Any) -> Any:
        return waiting.wait(value) if inspect.isawaitable(value) else value

    return settle


def _iterator(waiting: Waiting) -> Function:
    """Return the function that what a loop goes through goes through."""

    def each(items: Any) -> Any:
        kind: Any = type(items)
        return waiting.iterate(items) if _is_only_asynchronous(kind) else items

    return each


@functools.lru_cache(KINDS)
def _is_only_asynchronous(kind: type) -> bool:
    return hasattr(kind, "__aiter__") and not hasattr(kind, "__iter__")


class _Words(UserDict[str, Function]):
    """Filters or tests: the very dict of the other environment, but ``async def`` ones wait."""

    def __init__(self, words: dict[str, Function], settle: Function) -> None:
        super().__init__()
        self.data = words
        self._settle = settle
        self._known: dict[str, tuple[Function, Function]] = {}

    def __getitem__(self, name: str) -> Function:
        function = self.data[name]
        known = self._known.get(name)
        if known is None or known[0] is not function:
            known = self._known[name] = (function, self._adapt(function))
        return known[1]

    def _adapt(self, function: Function) -> Function:
        if not inspect.iscoroutinefunction(function):
            return function

        # One that wants the context is not called by the compiler, for values known in advance.
        @jinja2.pass_context
        @functools.wraps(function)
        def wait(context: Context, *args: Any, **options: Any) -> Any:
            return self._settle(context.call(function, *args, **options))

        return wait
