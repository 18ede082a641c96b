"""Floor 8: the debugger goes around an application in debug mode, and never in production."""

import os
from collections.abc import Callable

from erlen.app import Erlen
from erlen.protocols import ASGIApp
from erlen.serving.terminal import refuse, say

#: Why debug mode is refused.
IN_PRODUCTION = (
    "Debug mode is on, and ERLEN_ENV says that this is production. Leave --debug and ERLEN_DEBUG "
    "out here, or set ERLEN_ENV to another word where you develop."
)


def is_unsafe(*, debug: bool) -> bool:
    """Whether *debug* must be refused.

    SAFETY: in debug mode pages show source and values to whoever makes the application fail.
    """
    return debug and os.environ.get("ERLEN_ENV") == "production"


def debugged(
    app: Erlen,
    host: str,
    *,
    workers: int = 1,
    token: str | None = None,
    say: Callable[[str], object] = say,
) -> ASGIApp:
    """Return what is to be served: in debug mode *app* in the debugger, else *app* itself.

    Args:
        app: The application.
        host: The address that the server listens on.
        workers: Processes that serve.
        token: What unlocks the consoles; a new one otherwise.
        say: Takes the line that has the token.

    Raises:
        SystemExit: With code 3: debug mode is on in production.
    """
    if not app.debug:
        return app
    if is_unsafe(debug=True):
        refuse(IN_PRODUCTION)
    from erlen.debugger import Debugger  # the one place that imports it

    return Debugger(app, host=host, workers=workers, token=token, say=say)
