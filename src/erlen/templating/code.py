"""Floor 5: the Python that templates are compiled to: each value is looked at before it is awaited.

Jinja2 writes ``await auto_await(x)`` around every call, attribute, item, filter and test of an
asynchronous template: a coroutine for each value, of which hardly any is awaitable. The code that
is written here asks for the type of the value first, and Jinja2 only when the type leaves it open.
"""

import copy
from collections.abc import Awaitable, Callable
from itertools import groupby
from types import GeneratorType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame

#: How many types are remembered as awaitable, or not.
KINDS = 512
#: Characters of a value that is not gathered with what follows it, so that chunks stay small.
LONG = 512
#: How many texts and values one fragment has: who renders counts fragments, to let others run.
MOST = 16
#: Statements that are written alike for templates of both kinds.
_SIMPLE = (nodes.Output, nodes.If, nodes.Assign, nodes.ExprStmt, nodes.Continue, nodes.Break)


class Kinds(set[type]):
    """Types of which no value is awaitable, each added at its first value.

    PERF: 0.04 µs for a value; ``await auto_await(value)`` takes 0.13 for a ``str`` or ``dict``, and
    0.36 for what is not among its types, as ``Markup`` (CPython 3.11).
    """

    def learn(self, kind: type) -> bool:
        """Return whether no value of *kind* is awaitable, and remember that."""
        # A generator may be a coroutine of old, which its type does not tell.
        if kind is GeneratorType or issubclass(kind, Awaitable):
            return False
        if len(self) >= KINDS:
            self.clear()  # a program may make types without end
        self.add(kind)
        return True


def looking(kind: type[CodeGenerator]) -> type[CodeGenerator]:
    """Return what writes as *kind* does, but code that looks at values before it waits for them."""
    return kind if issubclass(kind, _LookingCode) else type(kind.__name__, (_LookingCode, kind), {})


class _LookingCode(CodeGenerator):
    """Writes ``(given if type(given := …) in plain or … else …)`` around a value.

    No more brackets are nested in it than in Jinja's ``(await auto_await(…))``: Python allows 200.

    What follows ``else`` awaits in an asynchronous template. In one of ``blocking.py`` it is
    ``settle(given)``, and what a loop goes through is ``each(…)``. Any other is written as ever.
    """

    def __init__(self, environment: jinja2.Environment, *args: Any, **options: Any) -> None:
        super().__init__(environment, *args, **options)
        self._waits = not environment.is_async and hasattr(environment, "erlen_settle")
        self._looks = environment.is_async or self._waits
        self._otherwise = "settle(given)" if self._waits else "await auto_await(given)"
        # Text without a name is compiled for one page: what takes long to compile is not for it.
        self._lasts = environment.is_async and self.name is not None
        # An environment that makes no text joins fragments in a way of its own, and another
        # generator may write nothing for an output.
        self._gathers = (
            self._lasts
            and environment.concat is jinja2.Environment.concat
            and super().visit_Output == CodeGenerator.visit_Output.__get__(self)
        )
        #: What expressions are written for: no ``await`` of Jinja's stands in them.
        self._plain = copy.copy(environment)
        self._plain.is_async = False
        self._held: dict[nodes.Node, str] = {}

    def write_commons(self) -> None:
        super().write_commons()
        self.writeline("escape = environment.erlen_escape")
        if self._looks:
            self.writeline("plain = environment.erlen_plain")
            self.writeline("learn = plain.learn")
        if self._gathers:
            self.writeline("parts, given, discard = [], None, environment.erlen_discard")
        if self._waits:
            self.writeline("settle, each = environment.erlen_settle, environment.erlen_each")

    def _look_at(self, write: Callable[..., None], *args: Any, **options: Any) -> None:
        """Write an expression by *write*, and that its value is looked at."""
        if not self._looks:
            write(*args, **options)
            return
        environment, self.environment = self.environment, self._plain
        self.write("(given if type(given := ")
        write(*args, **options)
        self.write(f") in plain or learn(type(given)) else {self._otherwise})")
        self.environment = environment

    def visit_Call(  # noqa: N802  # it is named after the node, as are the next
        self, node: nodes.Call, frame: Frame, forward_caller: bool = False
    ) -> None:
        self._look_at(super().visit_Call, node, frame, forward_caller=forward_caller)

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802  # as above
        self._look_at(super().visit_Getattr, node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802  # as above
        if isinstance(node.arg, nodes.Slice):  # Jinja awaits no slices
            super().visit_Getitem(node, frame)
        else:
            self._look_at(super().visit_Getitem, node, frame)

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:  # noqa: N802  # as above
        self._look_at(super().visit_Filter, node, frame)

    def visit_Test(self, node: nodes.Test, frame: Frame) -> None:  # noqa: N802  # as above
        self._look_at(super().visit_Test, node, frame)

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:  # noqa: N802  # as above
        if not self._gathers or frame.buffer is not None or frame.require_output_check:
            super().visit_Output(node, frame)
            return
        for calls, same in groupby(node.nodes, _has_call):
            children = [*same]
            for start in range(0, len(children), MOST):
                part = children[start : start + MOST]
                if calls or len(part) == 1:
                    super().visit_Output(nodes.Output(part, lineno=node.lineno), frame)
                else:
                    self._write_gathered(part, frame)

    def _write_gathered(self, children: list[nodes.Expr], frame: Frame) -> None:
        """Write what gives text, values and text as one fragment.

        Nothing is held back while something is awaited: what was gathered before is given first.

        PERF: 0.03 µs for each of them; as fragments of an asynchronous generator 0.14.
        """
        self.writeline("try:")
        self.indent()
        frame.buffer, usual = "parts", self._otherwise
        self._otherwise = f"(yield concat(parts)) or parts.clear() or {usual}"  # both give None
        for child in children:
            super().visit_Output(nodes.Output([child], lineno=child.lineno), frame)
            if not isinstance(child, nodes.TemplateData):
                self.writeline(f"if len(parts[-1]) > {LONG}: yield concat(parts); parts.clear()")
        frame.buffer, self._otherwise = None, usual
        self.writeline("yield concat(parts)")
        self.writeline("parts.clear()")
        self.outdent()
        # Who reads may leave while what was gathered is given, before the value is awaited.
        self.writeline("except GeneratorExit: discard([given]); raise")

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802  # as above
        if self._waits:
            items = self._hold(node, frame, "each(", ")")
            super().visit_For(node, frame)
            self.writeline(f"{items} = missing")  # so that they live no longer than the loop
        elif self._lasts and _is_simple(node):
            self._write_twice(node, frame)
        else:
            super().visit_For(node, frame)
        if self._looks:
            self.writeline("given = missing")  # it may be what the loop went through

    def _write_twice(self, node: nodes.For, frame: Frame) -> None:
        """Write a loop for what is iterated asynchronously, and one for what is not.

        PERF: 0.07 µs for an item of a list; the loop that Jinja writes for both takes 0.3.
        """
        items = self._hold(node, frame)
        self.writeline(f"if hasattr({items}, '__aiter__'):")
        self.indent()
        super().visit_For(node, frame)
        self.outdent()
        self.writeline("else:")
        self.indent()
        environment, self.environment = self.environment, self._plain
        super().visit_For(node, frame)
        self.environment = environment
        self.outdent()
        self.writeline(f"{items} = missing")

    def _hold(self, node: nodes.For, frame: Frame, before: str = "", after: str = "") -> str:
        """Write what a loop goes through to a variable, which stands for it from now on."""
        items = self.temporary_identifier()
        self.writeline(f"{items} = {before}", node)
        self.visit(node.iter, frame)
        self.write(after)
        self._held[node.iter] = items
        return items

    def visit(self, node: nodes.Node, *args: Any, **options: Any) -> Any:
        if node not in self._held:
            return super().visit(node, *args, **options)
        self.write(self._held[node])
        return None


def _has_call(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Call) or node.find(nodes.Call) is not None


def _is_simple(loop: nodes.For) -> bool:
    """Whether nothing inside a loop is written in another way for asynchronous templates."""
    if loop.recursive or loop.test is not None:
        return False
    if any(name.name == "loop" for name in loop.find_all(nodes.Name)):
        return False
    return all(isinstance(inside, _SIMPLE) for inside in loop.find_all(nodes.Stmt))
