"""Floor 8: what is served in the place of an application that could not be loaded."""

import os
import traceback
from collections.abc import Callable

from erlen.protocols import ASGIApp, Receive, Scope, Send
from erlen.serving.debugging import IN_PRODUCTION, is_unsafe
from erlen.serving.terminal import refuse, say

#: Beginnings of the names of modules between the process and the application's own code.
_OURS = ("erlen.serving.", "erlen.cli.", "importlib")


def in_its_place(
    error: BaseException,
    host: str,
    *,
    token: str,
    say_token: Callable[[str], object],
    debug: bool,
) -> ASGIApp:
    """Print why it could not be loaded, and return what is served: in debug mode the error's page.

    Args:
        error: What loading it has raised.
        host: The address that the server listens on.
        token: What unlocks the debugger's consoles.
        say_token: Takes the line that has the token.
        debug: Whether debug mode is on.

    Raises:
        SystemExit: With code 3: debug mode is on in production.
    """
    if is_unsafe(debug=debug):
        refuse(IN_PRODUCTION)
    told = "".join(traceback.format_exception(error))
    say(f"{told} * The application could not be loaded. It is tried again when a file changes.")
    if not debug:
        return unloaded
    from erlen.debugger import FailedApp  # as in debugging.py, in debug mode only

    return FailedApp(error, host=host, token=token, say=say_token)


async def unloaded(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything with 500: the ASGI application outside of debug mode."""
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close"})
    else:
        body = b"The application could not be loaded. The terminal says why.\n"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def without_ours(error: BaseException) -> BaseException:
    """Return *error* with a traceback that begins in the application's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals["__name__"].startswith(_OURS):
        trace = trace.tb_next
    return error.with_traceback(trace)


def files_of(error: BaseException) -> set[str]:
    """Return the files that have to do with an error: mended, they may make it go away."""
    frames = traceback.extract_tb(error.__traceback__)
    files = {frame.filename for frame in frames}
    if isinstance(error, SyntaxError) and error.filename:
        files.add(error.filename)
    return {file for file in files if os.path.isabs(file)}  # noqa: PTH117  # '<string>' is none
