"""Floor 6: what may be declared to run around serving."""

from collections.abc import Callable
from typing import Any, TypeVar

from erlen.pipeline.registry import Registry, check_callable

F = TypeVar("F", bound=Callable[..., Any])


class LifespanDeclarations:
    """What runs around serving, in order of declaration."""

    def __init__(self) -> None:
        """Nothing is declared yet."""
        self.lifespans: list[Callable[..., Any]] = []
        self.before_serving: list[Callable[..., Any]] = []
        self.while_serving: list[Callable[..., Any]] = []
        self.after_serving: list[Callable[..., Any]] = []
        #: Whether the lifespan is between its startup and its shutdown.
        self.running = False

    def __bool__(self) -> bool:
        return bool(
            self.lifespans or self.before_serving or self.while_serving or self.after_serving
        )


class AroundServing(Registry):
    """The decorators of an application's lifespan.

    Attributes:
        lifespan_declarations: What they declared.
    """

    def __init__(self) -> None:
        """Nothing runs around serving yet."""
        super().__init__()
        self.lifespan_declarations = LifespanDeclarations()

    def lifespan(self, function: F) -> F:
        """Run an asynchronous context manager around serving.

        The decorated ``async def`` has one ``yield``; a mapping that it yields is merged into
        ``app.state``. It may take the application as its argument.
        """
        self.check_open("lifespan")
        check_callable("lifespan", function)
        self.lifespan_declarations.lifespans.append(function)
        return function

    def before_serving(self, function: F) -> F:
        """Call at startup, in order of declaration."""
        self.check_open("before_serving")
        check_callable("before_serving", function)
        self.lifespan_declarations.before_serving.append(function)
        return function

    def while_serving(self, function: F) -> F:
        """Run an ``async def`` with one ``yield`` around serving."""
        self.check_open("while_serving")
        check_callable("while_serving", function)
        self.lifespan_declarations.while_serving.append(function)
        return function

    def after_serving(self, function: F) -> F:
        """Call at shutdown, in order of declaration."""
        self.check_open("after_serving")
        check_callable("after_serving", function)
        self.lifespan_declarations.after_serving.append(function)
        return function
