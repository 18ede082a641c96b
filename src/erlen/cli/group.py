"""Floor 8: groups of commands that run in the application's context, ``async def`` ones too."""

import copy
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, overload

import anyio
import click

from erlen.app import Erlen
from erlen.cli.loader import load_app
from erlen.cli.modules import NoAppError
from erlen.context import current_context
from erlen.pipeline.guest import Guest

#: Attribute of functions for which it was decided whether they run in a context.
_DECIDED = "_erlen_context_decided"


class ScriptInfo:
    """What the commands of one run share; it is click's ``ctx.obj``.

    Attributes:
        spec: Where the application is, as ``--app`` says; ``None`` to look for it.
        show_traceback: Whether an application that cannot be imported shows the whole traceback.
        env_file: A file for the environment that was named on the command line.
        from_files: What such files have added to the environment.
    """

    def __init__(self, app: Erlen | None = None) -> None:
        """*app* is used instead of one that is imported."""
        self.spec: str | None = None
        self.show_traceback = False
        self.env_file: str | None = None
        self.from_files: dict[str, str] = {}
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

    Commands of :class:`AppGroup` do so by themselves. A ``def`` function runs inside
    ``with app.app_context()``; that of a group lasts until its commands have ended, which share
    its ``g``. An ``async def`` function runs in an event loop of its own, between the startup and
    the shutdown of the application; at its end background tasks are waited for.
    """
    if hasattr(function, _DECIDED):
        return function

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        ctx = click.get_current_context()
        app = ctx.ensure_object(ScriptInfo).load_app()
        call = functools.partial(function, *args, **kwargs)
        if _is_async(function):
            return anyio.run(_run_started, app, call)
        if _is_inside(app):
            return call()
        if isinstance(ctx.command, click.Group):
            ctx.with_resource(app.app_context())
            return call()
        with app.app_context():
            return call()

    return _decided(run)


def awaited(command: click.Command) -> click.Command:
    """Return *command*, or a copy whose functions are awaited when they are ``async def``.

    For commands that ask for a context themselves, or need none.
    """
    return _wrapped(command, _without_appcontext)


def _without_appcontext(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a command's function awaited when it is ``async def``, and nothing else."""
    if hasattr(function, _DECIDED):
        return function

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        call = functools.partial(function, *args, **kwargs)
        return anyio.run(call) if _is_async(function) else call()

    return _decided(run)


def _decided(function: Callable[..., Any]) -> Callable[..., Any]:
    setattr(function, _DECIDED, True)
    return function


def _is_async(function: Callable[..., Any]) -> bool:
    # click's own decorators (pass_context ...) are plain functions around the coroutine function.
    return inspect.iscoroutinefunction(inspect.unwrap(function))


def _is_inside(app: Erlen) -> bool:
    """Whether a context of *app* is open here: that of the group above, or of a test."""
    context = current_context.get(None)
    return context is not None and context.app is app


async def _run_started(app: Erlen, call: Callable[[], Awaitable[Any]]) -> Any:
    async with started(app):
        return await call()


@asynccontextmanager
async def started(app: Erlen) -> AsyncGenerator[None, None]:
    """Run the block between the startup and the shutdown of *app*, in a context of its own.

    An application that runs already, as in the block of a test client, is not started twice; a
    context that is open already stays.
    """
    async with AsyncExitStack() as stack:
        if app.needs_lifespan:
            name = f"the application {app.name!r}"
            await stack.enter_async_context(Guest(app, name, {}))
        elif not app.lifespan_declarations.running:
            stack.push_async_callback(app.background_tasks.drain, hurried=False)
        if not _is_inside(app):
            await stack.enter_async_context(app.app_context())
        yield


class AppGroup(click.Group):
    """A click group whose commands and groups run in the application's context.

    So do plain click commands that were added by ``add_command``, and those of plain groups.
    ``@group.command(with_appcontext=False)`` runs without; then the application is not even
    imported.
    """

    group_class = type  # groups within are of the same class

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command that runs in the application's context; ``None`` for an unknown name."""
        found = super().get_command(ctx, cmd_name)
        return None if found is None else _in_context(found)

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


def _in_context(command: click.Command) -> click.Command:
    """Return *command*, or a copy whose functions run in the application's context."""
    return _wrapped(command, with_appcontext)


def _wrapped(
    command: click.Command, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> click.Command:
    """Return *command* with wrapped functions, those of plain groups within included.

    A copy, because a command may belong to several programs.
    """
    is_plain_group = isinstance(command, click.Group) and not isinstance(command, AppGroup)
    if not is_plain_group and (command.callback is None or hasattr(command.callback, _DECIDED)):
        return command
    made = copy.copy(command)
    if made.callback is not None:
        made.callback = wrap(made.callback)
    if is_plain_group:
        assert isinstance(made, click.Group)
        made.commands = {name: _wrapped(each, wrap) for name, each in made.commands.items()}
    return made
