"""Floor 6: what may be declared to run around serving."""

from collections.abc import Callable
from typing import Any, TypeVar

from erlen.exceptions import SetupError
from erlen.pipeline.mount import Mount, leads_to
from erlen.pipeline.readiness import Phase, Readiness
from erlen.pipeline.registry import Registry, check_callable

F = TypeVar("F", bound=Callable[..., Any])


class LifespanDeclarations:
    """What runs around serving, in order of declaration.

    Attributes:
        readiness: Whether it runs.
    """

    def __init__(self) -> None:
        """Nothing is declared yet."""
        self.lifespans: list[Callable[..., Any]] = []
        self.before_serving: list[Callable[..., Any]] = []
        self.while_serving: list[Callable[..., Any]] = []
        self.after_serving: list[Callable[..., Any]] = []
        self.mounts: list[Mount] = []
        self.readiness = Readiness()

    def __bool__(self) -> bool:
        return bool(
            self.lifespans
            or self.before_serving
            or self.while_serving
            or self.after_serving
            or self.mounts
        )

    @property
    def running(self) -> bool:
        """Whether the lifespan is between its startup and its shutdown."""
        return self.readiness.phase is Phase.SERVING

    def add_mount(self, mount: Mount, below: object) -> None:
        """Take in an application that is mounted *below* another.

        Raises:
            SetupError: Another one has its path, or one would be mounted below itself.
        """
        if leads_to(mount.app, below):
            raise SetupError(
                f"{mount.app!r} was to be mounted at {mount.path or '/'!r} of {below!r}, which is "
                "mounted below it, or is it. Mount one below the other only."
            )
        for other in self.mounts:
            if other.path == mount.path:
                raise SetupError(
                    f"{mount.app!r} was to be mounted at {mount.path or '/'!r}, where "
                    f"{other.app!r} is mounted already. Choose another path for one of them."
                )
        self.mounts.append(mount)

    def tell_mounts(self) -> None:
        """Tell what is mounted that the end is near."""
        for mount in self.mounts:
            mount.begin_shutdown()


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
