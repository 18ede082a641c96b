"""Floor 8: a test reads and changes the session that its client's cookies stand for."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from erlen.context import Context, current_context
from erlen.sessions import SessionMixin
from erlen.testing.arguments import BuildOptions
from erlen.testing.binding import httpx

__all__ = ["edit_session"]


@asynccontextmanager
async def edit_session(
    app: Any, request: httpx.Request, base_url: str, cookies: httpx.Cookies
) -> AsyncGenerator[SessionMixin, None]:
    """Open the session of *request*, give it to the block, and save it when the block ends well.

    The request is not served: no hook and no view runs. What saving sets goes into *cookies*.

    Args:
        app: The application.
        request: Its URL and its headers, cookies among them, are what the interface sees.
        base_url: Where the application is mounted.
        cookies: The client's.

    Raises:
        TypeError: *app* is another ASGI application, which has no sessions.
        RuntimeError: The application opens no session.
    """
    interface = getattr(app, "session_interface", None)
    if interface is None:
        raise TypeError(
            f"session_transaction() was called for {app!r}, which is no erlen application and has "
            "no sessions. Make the client with 'app.test_client()'."
        )
    options: BuildOptions = {"headers": request.headers, "base_url": base_url}
    context: Context = app.test_request_context(
        str(request.url), method=request.method, **options
    ).context
    sessions = context.line.sessions
    try:
        with _current(context):
            if sessions.is_eager:
                await sessions.open(context)
            session: SessionMixin = context.session
        if interface.is_null_session(session):
            raise RuntimeError(
                f"{type(interface).__name__} opened no session for {request.method} {request.url}. "
                "Set app.secret_key, or look at why the interface returned None."
            )
        yield session
        answer = app.response_class()
        with _current(context):
            await sessions.save(context, answer)
    finally:
        context.release()
    response = httpx.Response(200, headers=answer.headers.raw())
    response.request = request
    cookies.extract_cookies(response)


@contextmanager
def _current(context: Context) -> Generator[None, None, None]:
    """Set *context* for the interface alone: the test's own block must run without one."""
    token = current_context.set(context)
    try:
        yield
    finally:
        current_context.reset(token)
