"""Floor 6: an ASGI application below a path of this one, as it is declared."""

import inspect
from typing import Any

from erlen.protocols import ASGIApp


class Mount:
    """One mounted application.

    Attributes:
        path: ``"/sub"``; ``""`` for the root.
        segments: The same, split at its slashes.
        app: The application.
        state: What its lifespan has put into ``scope["state"]``.
    """

    def __init__(self, path: str, app: ASGIApp) -> None:
        """Take what ``app.mount()`` was given.

        Raises:
            ValueError: *path* is no plain path.
            TypeError: *app* cannot be called as ASGI applications are.
        """
        self.path = _checked_path(path)
        self.segments = self.path.split("/")[1:]
        self.app = app
        self.state: dict[str, Any] = {}
        _check_app(path, app)

    @property
    def name(self) -> str:
        """For messages."""
        return f"the application mounted at {self.path or '/'!r}"

    def begin_shutdown(self) -> None:
        """Tell the application, where it is one of erlen, that the end is near."""
        begin = getattr(self.app, "begin_shutdown", None)
        if begin is not None:
            begin()


def _checked_path(path: str) -> str:
    """Return the path of a mount without its last slash.

    Raises:
        ValueError: It does not begin with a slash, or is more than plain segments.
    """
    bare = path.removesuffix("/")
    segments = bare.split("/")[1:]
    wrong = not path.startswith("/") or any(each in {"", ".", ".."} for each in segments)
    if wrong or any(mark in path for mark in "<>?#%\\") or not path.isprintable():
        raise ValueError(
            f"An application was to be mounted at {path!r}. Write a plain path that begins with "
            "a slash, as '/sub', without placeholders; other characters than ASCII as they are."
        )
    return bare


def leads_to(app: Any, other: Any) -> bool:
    """Whether *app* is *other*, or has it mounted at any depth."""
    declared = getattr(app, "lifespan_declarations", None)
    mounts: list[Mount] = [] if declared is None else declared.mounts
    return app is other or any(leads_to(mount.app, other) for mount in mounts)


def _check_app(path: str, app: Any) -> None:
    try:
        if callable(app):
            call = app if inspect.isroutine(app) else app.__call__
            inspect.signature(call).bind({}, None, None)
            return
    except ValueError:
        return  # a callable that does not tell
    except TypeError:
        pass
    raise TypeError(
        f"{app!r} was to be mounted at {path!r}, but cannot be called with scope, receive and "
        "send. Give an ASGI application."
    )
