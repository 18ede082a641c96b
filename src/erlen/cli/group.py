"""Floor 8: groups of commands that run in the application's context, ``async def`` ones too."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, overload

import anyio
import click

from erlen.app import Erlen
from erlen.cli.loader import NoAppError, load_app


class ScriptInfo:
    """What the commands of one run share; it is click's ``ctx.obj``.

    Attributes:
        spec: Where the application is, as ``--app`` says; ``None`` to look for it.
        show_traceback: Whether an application that cannot be imported shows the whole traceback.
    """

    def __init__(self, app: Erlen | None = None) -> None:
        """*app* is used instead of one that is imported."""
        self.spec: str | None = None
        self.show_traceback = False
        self._app = app

    def load_app(self) -> Erlen:
        """Return the application, imported at the first call.

        Raises:
            NoAppError: It cannot be found or imported.
        """
        if self._app is None:
            try:
                self._app = load_app(self.spec)
            except NoAppError as error:
                error.show_traceback = self.show_traceback
                raise
        return self._app


def with_appcontext(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a command's function run in an application context, awaited when it is ``async def``.

    :class:`AppGroup` does this to the functions that it decorates; plain click commands need it
    under their ``@click.command()``. A ``def`` function runs inside ``with app.app_context()``, an
    ``async def`` one inside ``async with``, in an event loop of its own.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        app = click.get_current_context().ensure_object(ScriptInfo).load_app()
        call = functools.partial(function, *args, **kwargs)
        if _is_async(function):
            return anyio.run(_run_inside, app, call)
        with app.app_context():
            return call()

    return run


def _without_appcontext(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a command's function awaited when it is ``async def``."""
    if not _is_async(function):
        return function

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return anyio.run(functools.partial(function, *args, **kwargs))

    return run


def _is_async(function: Callable[..., Any]) -> bool:
    # click's own decorators (pass_context ...) are plain functions around the coroutine function.
    return inspect.iscoroutinefunction(inspect.unwrap(function))


async def _run_inside(app: Erlen, call: Callable[[], Awaitable[Any]]) -> Any:
    async with app.app_context():
        return await call()


class AppGroup(click.Group):
    """A click group whose commands and groups run in the application's context.

    ``@group.command(with_appcontext=False)`` runs without; then the application is not even
    imported.
    """

    group_class = type  # groups within are of the same class

    @overload
    def command(self, function: Callable[..., Any], /) -> click.Command: ...
    @overload
    def command(
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]: ...

    def command(self, *args: Any, **kwargs: Any) -> Any:
        """Decorate a function, ``def`` or ``async def``, as a command; as click's ``command``."""
        return _decorator(super().command, args, kwargs)

    @overload
    def group(self, function: Callable[..., Any], /) -> "AppGroup": ...
    @overload
    def group(self, *args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], "AppGroup"]: ...

    def group(self, *args: Any, **kwargs: Any) -> Any:
        """Decorate a function, ``def`` or ``async def``, as a group; as click's ``group``."""
        return _decorator(super().group, args, kwargs)


def _decorator(register: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what ``@command`` is: the command itself, or a decorator when it was called first."""
    wrap = with_appcontext if kwargs.pop("with_appcontext", True) else _without_appcontext
    if args and callable(args[0]):
        return register(wrap(args[0]))
    decorate = register(*args, **kwargs)
    return lambda function: decorate(wrap(function))
