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
from jinja2 import nodes
from jinja2.bccache import Bucket
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from markupsafe import Markup

E = TypeVar("E", bound=jinja2.Environment)
Function: TypeAlias = Callable[..., Any]

#: How many types are remembered as awaitable, or not.
KINDS = 512


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
    kinds = (_BlockingCode, environment.code_generator_class)
    made.code_generator_class = type("BlockingCode", kinds, {})
    settle, each = _settler(waiting), _iterator(waiting)
    made.extend(erlen_settle=settle, erlen_each=each)
    made.filters = cast(Any, _Words(cast(Any, environment.filters), settle))
    made.tests = cast(Any, _Words(cast(Any, environment.tests), settle))
    if environment.bytecode_cache is not None:
        made.bytecode_cache = _OwnBytecode(environment.bytecode_cache)
    return made


def _settler(waiting: Waiting) -> Function:
    """Return the function that each value of a call, attribute, item, filter or test goes through.

    PERF: 0.05 µs for what templates mostly print, 0.1 for the rest; inspect.isawaitable takes 0.4.
    """
    plain = frozenset({str, Markup, int, float, bool, type(None), dict, list, tuple})

    def settle(value: Any) -> Any:
        kind: Any = type(value)
        return value if kind in plain or not _is_awaitable(kind) else waiting.wait(value)

    return settle


def _iterator(waiting: Waiting) -> Function:
    """Return the function that what a loop goes through goes through."""

    def each(items: Any) -> Any:
        kind: Any = type(items)
        return waiting.iterate(items) if _is_only_asynchronous(kind) else items

    return each


@functools.lru_cache(KINDS)
def _is_awaitable(kind: type) -> bool:
    return hasattr(kind, "__await__")


@functools.lru_cache(KINDS)
def _is_only_asynchronous(kind: type) -> bool:
    return hasattr(kind, "__aiter__") and not hasattr(kind, "__iter__")


class _BlockingCode(CodeGenerator):
    """Writes ``settle(…)`` where an asynchronous template has ``await``, ``each(…)`` in loops.

    To be put before the generator that the environment has.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gone_through: set[nodes.Node] = set()

    def write_commons(self) -> None:
        super().write_commons()
        self.writeline("settle, each = environment.erlen_settle, environment.erlen_each")

    def visit_Call(  # noqa: N802  # it is named after the node, as are the next
        self, node: nodes.Call, frame: Frame, forward_caller: bool = False
    ) -> None:
        self.write("settle(")
        super().visit_Call(node, frame, forward_caller=forward_caller)
        self.write(")")

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802  # as above
        self.write("settle(")
        super().visit_Getattr(node, frame)
        self.write(")")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802  # as above
        self.write("settle(")
        super().visit_Getitem(node, frame)
        self.write(")")

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:  # noqa: N802  # as above
        self.write("settle(")
        super().visit_Filter(node, frame)
        self.write(")")

    def visit_Test(self, node: nodes.Test, frame: Frame) -> None:  # noqa: N802  # as above
        self.write("settle(")
        super().visit_Test(node, frame)
        self.write(")")

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802  # as above
        self._gone_through.add(node.iter)
        super().visit_For(node, frame)

    def visit(self, node: nodes.Node, *args: Any, **options: Any) -> Any:
        if node not in self._gone_through:
            return super().visit(node, *args, **options)
        self._gone_through.remove(node)
        self.write("each(")
        super().visit(node, *args, **options)
        self.write(")")
        return None


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


class _OwnBytecode(jinja2.BytecodeCache):
    """A cache of bytecode under names of its own, for the same template is another code here."""

    def __init__(self, cache: jinja2.BytecodeCache) -> None:
        self._cache = cache

    def get_bucket(
        self, environment: jinja2.Environment, name: str, filename: str | None, source: str
    ) -> Bucket:
        return self._cache.get_bucket(environment, f"erlen-blocking-1/{name}", filename, source)

    def set_bucket(self, bucket: Bucket) -> None:
        self._cache.set_bucket(bucket)
