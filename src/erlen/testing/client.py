"""Floor 8: the test client: httpx's asynchronous client on the application itself."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Self, Unpack, cast

import anyio

from erlen.protocols import ASGIApp
from erlen.sessions import SessionMixin
from erlen.shutdown import ShuttingDown
from erlen.testing.arguments import BuildOptions, RequestOptions, absolute_url, httpx_options
from erlen.testing.background import BackgroundWork
from erlen.testing.binding import httpx
from erlen.testing.cookies import StoredCookie, find_cookie, make_jar, stored
from erlen.testing.lifespan import Lifespan, LifespanError
from erlen.testing.response import Response
from erlen.testing.running import Company
from erlen.testing.session import edit_session
from erlen.testing.transport import COMPANY, ASGITransport
from erlen.testing.websocket import WebSocketSession, open_websocket
from erlen.wire.cookies import dump_cookie

__all__ = ["Client"]

#: Request extensions: the host that redirects must stay on, the Cookie field that the test gave.
_HOST = "erlen.host"
_COOKIE = "erlen.cookie"

#: What a browser sends with the requests of an application's own pages. Without it the requests
#: with cookies would be refused as another site's.
_OWN_PAGE = {"user-agent": "erlen-test-client", "sec-fetch-site": "same-origin"}

#: RFC 6455 section 1.3: the example key; nobody answers it here.
_HANDSHAKE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Client(httpx.AsyncClient):
    """A client for an ASGI application, in the task and the loop of the test.

    It takes httpx's arguments and Flask's (``query_string``, ``data`` with files, ``content_type``,
    ``base_url``) on every verb, and returns httpx responses with Flask's words. Used with ``async
    with`` it runs the application's lifespan, and waits at its end for background tasks. Every call
    of the application is watched by :class:`~erlen.testing.conduct.ConductChecker`.

    Attributes:
        app: The application.
        state: What the application put into ``scope["state"]`` at startup.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        base_url: httpx.URL | str = "http://localhost",
        headers: Any = None,
        cookies: Any = None,
        follow_redirects: bool = False,
        timeout: Any = 5.0,
        raise_app_exceptions: bool | None = None,
        client: tuple[str, int] | None = ("127.0.0.1", 50000),
        root_path: str = "",
        **options: Any,
    ) -> None:
        """Bind the client to *app*; nothing runs yet.

        Args:
            app: An ASGI 3 callable.
            base_url: Put before every path; decides ``Host`` and scheme.
            headers: Sent with every request. ``Sec-Fetch-Site`` is ``same-origin`` unless it is
                given, here or with a request: ``"cross-site"`` stands for another site's page.
            cookies: Kept from the start, for every host.
            follow_redirects: Follow them, within the host.
            timeout: Seconds that each wait on the application may take, ``None`` for ever.
            raise_app_exceptions: Whether an exception of the application is raised in the test,
                or turned into what a server makes of it (500, or a broken connection). ``None``
                asks ``app.config`` for TESTING, DEBUG and PROPAGATE_EXCEPTIONS each time, and
                raises when there is no ``config``. What background tasks raise is raised when
                the client is left or closed.
            client: Address and port of the peer in the scope.
            root_path: The scope's ``root_path``. A *base_url* without a path gets it as its path.
            options: What else ``httpx.AsyncClient`` takes (``auth``, ``params``, ``event_hooks``,
                ``max_redirects``, ``default_encoding``).
        """
        self.app = app
        self._raise_app_exceptions = raise_app_exceptions
        self._lifespan = Lifespan(app, httpx.Timeout(timeout).read)
        self._background = BackgroundWork(app)
        self._entered = False
        self._asgi = ASGITransport(
            app, raises=self._raises, prepare=self._prepare, root_path=root_path, client=client
        )
        url = httpx.URL(base_url)
        super().__init__(
            transport=self._asgi,
            base_url=url.copy_with(path=root_path) if root_path and url.path in {"", "/"} else url,
            headers=_OWN_PAGE | dict(httpx.Headers(headers)),
            cookies=make_jar(),
            follow_redirects=follow_redirects,
            timeout=timeout,
            **options,
        )
        self.cookies.update(cookies)

    @property
    def state(self) -> dict[str, Any]:
        """The lifespan's state; each request gets a copy of it as ``scope["state"]``."""
        return self._lifespan.state

    # --- lifespan -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Run the application's startup; raises what it raises."""
        await super().__aenter__()
        try:
            await self._lifespan.startup()
        except BaseException:
            await super().__aexit__(None, None, None)
            raise
        self._asgi.state = self._lifespan.state
        self._entered = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Run the application's shutdown; a failure of the block itself is never replaced."""
        cancelled = isinstance(exc_value, anyio.get_cancelled_exc_class())
        try:
            await self._lifespan.shutdown(exc_value if cancelled else None)
        except Exception as error:
            if exc_value is None or cancelled:
                raise
            exc_value.add_note(f"The application's shutdown failed, too: {error!r}")
        finally:
            await super().__aexit__(exc_type, exc_value, traceback)
            if isinstance(shutting_down := getattr(self.app, "shutting_down", None), ShuttingDown):
                shutting_down.clear()  # a client without a lifespan may come next
        self._background.report(raises=self._raises(), instead_of=exc_value)

    async def aclose(self) -> None:
        """Close a client that is used without ``async with``, after the background tasks' end."""
        await self._background.wait()
        await super().aclose()
        self._background.report(raises=self._raises())

    def _check_lifespan(self) -> None:
        if not self._entered and getattr(self.app, "needs_lifespan", False):
            raise LifespanError(
                "The application has work to do at startup, and this client has not run it. "
                "Write 'async with app.test_client() as client:' around the requests."
            )

    # --- requests -------------------------------------------------------------------------------

    def build_request(
        self, method: str, url: httpx.URL | str = "/", **options: Unpack[BuildOptions]
    ) -> httpx.Request:
        """Return the request that :meth:`request` would send."""
        base = options.get("base_url")
        absolute = absolute_url(httpx.URL(base) if base else self.base_url, url)
        absolute, known = httpx_options(absolute, options, getattr(self.app, "json", None))
        cookies = known.pop("cookies", None)
        request = super().build_request(method, absolute, **known)
        request.extensions[_HOST] = request.url.host
        if cookies is not None:
            own = httpx.Cookies(make_jar())
            own.update(self.cookies)
            own.update(cookies)
            request.headers.pop("cookie", None)
            own.set_cookie_header(request)
        if cookies is not None or "cookie" in httpx.Headers(known.get("headers")):
            request.extensions[_COOKIE] = request.headers.get("cookie", "")
        return request

    async def send(self, request: httpx.Request, **options: Any) -> Response:
        """Send a request that :meth:`build_request` returned; *options* are httpx's."""
        self._check_lifespan()
        return cast("Response", await super().send(request, **options))  # our transport's own

    async def request(
        self, method: str, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]
    ) -> Response:
        """Send a request and return its whole response.

        Raises:
            DeadlineExceeded: The application did not end in time.
            ConductError: The application broke the ASGI specification.
            Exception: What the application raised, see *raise_app_exceptions*.
        """
        request, sending = self._build(method, url, options)
        return await self.send(request, **sending)

    def _build(
        self, method: str, url: httpx.URL | str, options: RequestOptions
    ) -> tuple[httpx.Request, dict[str, Any]]:
        known: Any = dict(options)
        sending = {key: known.pop(key) for key in ("auth", "follow_redirects") if key in known}
        return self.build_request(method, url, **known), sending

    async def open(
        self,
        path: httpx.URL | str = "/",
        *,
        method: str = "GET",
        **options: Unpack[RequestOptions],
    ) -> Response:
        """Flask's :meth:`request`."""
        return await self.request(method, path, **options)

    async def get(self, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]) -> Response:
        """Send GET; see :meth:`request`."""
        return await self.request("GET", url, **options)

    async def head(self, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]) -> Response:
        """Send HEAD; see :meth:`request`."""
        return await self.request("HEAD", url, **options)

    async def post(self, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]) -> Response:
        """Send POST; see :meth:`request`."""
        return await self.request("POST", url, **options)

    async def put(self, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]) -> Response:
        """Send PUT; see :meth:`request`."""
        return await self.request("PUT", url, **options)

    async def patch(
        self, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]
    ) -> Response:
        """Send PATCH; see :meth:`request`."""
        return await self.request("PATCH", url, **options)

    async def delete(
        self, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]
    ) -> Response:
        """Send DELETE; see :meth:`request`."""
        return await self.request("DELETE", url, **options)

    async def options(
        self, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]
    ) -> Response:
        """Send OPTIONS; see :meth:`request`."""
        return await self.request("OPTIONS", url, **options)

    async def trace(
        self, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]
    ) -> Response:
        """Send TRACE; see :meth:`request`."""
        return await self.request("TRACE", url, **options)

    @asynccontextmanager
    async def stream(
        self, method: str, url: httpx.URL | str = "/", **options: Unpack[RequestOptions]
    ) -> AsyncGenerator[Response, None]:
        """Send a request and give its response as soon as it starts, each chunk when it is sent.

        The application runs in a child task and waits in ``send()`` until the test reads. Leaving
        the block before the end of the body is :meth:`Response.disconnect`.
        """
        request, sending = self._build(method, url, options)
        async with Company(self._raises) as company:
            request.extensions[COMPANY] = company
            response = await self.send(request, stream=True, **sending)
            try:
                yield response
            finally:
                await response.disconnect()
                await response.aclose()

    def websocket(  # pyright: ignore[reportIncompatibleMethodOverride]  # httpx2's needs a socket
        self,
        url: httpx.URL | str = "/",
        *,
        subprotocols: Sequence[str] = (),
        denial_response: bool = True,
        **options: Unpack[BuildOptions],
    ) -> AbstractAsyncContextManager[WebSocketSession]:
        """Open a WebSocket for the length of an ``async with`` block.

        Leaving the block closes it with 1000, waits until the application is over, and raises what
        it raised.

        Args:
            url: A path, or an absolute URL (``ws``, ``wss``, ``http`` or ``https``).
            subprotocols: Offered to the application, most wanted first.
            denial_response: Whether this server has the extension ``websocket.http.response``;
                without it the application can only close before it accepts: 403.
            options: What a request takes: ``headers``, ``query_string``, ``deadline`` …

        Raises:
            WebSocketRejected: On entering, when the application refuses the handshake.
        """
        self._check_lifespan()
        scheme, separator, rest = str(url).partition("://")
        if separator and scheme in {"ws", "wss"}:
            url = f"{scheme.replace('ws', 'http')}://{rest}"
        request = self.build_request("GET", url, **options)
        for name, value in _HANDSHAKE.items():
            request.headers[name] = value
        if subprotocols:
            request.headers["sec-websocket-protocol"] = ", ".join(subprotocols)
        return open_websocket(
            self._asgi,
            request,
            subprotocols=subprotocols,
            denial_response=denial_response,
            answered=self.cookies.extract_cookies,
        )

    # --- cookies and the session ----------------------------------------------------------------

    def session_transaction(
        self,
        path: httpx.URL | str = "/",
        *,
        method: str = "GET",
        **options: Unpack[BuildOptions],
    ) -> AbstractAsyncContextManager[SessionMixin]:
        """Open the session that the client's cookies stand for, for an ``async with`` block.

        It is saved, and the cookies are kept, when the block ends without an exception. Nothing is
        sent: no hook and no view of the application runs.

        Args:
            path: Of the request by which the session is opened.
            method: Of that request.
            options: What else describes it: ``base_url``, ``headers`` ….

        Raises:
            RuntimeError: On entering, when the application opens no session; it has no secret key.
        """
        self._check_lifespan()
        request = self.build_request(method, path, **options)
        self._prepare(request)
        base_url = options.get("base_url") or str(self.base_url)
        return edit_session(self.app, request, base_url, self.cookies)

    def set_cookie(
        self,
        key: str,
        value: str = "",
        *,
        domain: str = "localhost",
        origin_only: bool = True,
        path: str = "/",
        **options: Any,
    ) -> None:
        """Keep a cookie as if the server at *domain* had set it.

        Args:
            key: Its name.
            value: Its value, quoted where it has to be.
            domain: The host.
            origin_only: Do not send it to subdomains of *domain*.
            path: Prefix of the paths it is sent to.
            options: What ``response.set_cookie`` takes: ``max_age``, ``expires``, ``secure``,
                ``httponly``, ``samesite`` …
        """
        host = domain.removeprefix(".")
        field = dump_cookie(key, value, path=path, domain=None if origin_only else host, **options)
        response = httpx.Response(200, headers={"set-cookie": field})
        response.request = httpx.Request("GET", f"https://{host}/")
        self.cookies.extract_cookies(response)

    def get_cookie(
        self, key: str, domain: str = "localhost", path: str = "/"
    ) -> StoredCookie | None:
        """Return the cookie that is kept for exactly this host and path, ``None`` without one."""
        cookie = find_cookie(self.cookies.jar, key, domain, path)
        return None if cookie is None else stored(cookie)

    def delete_cookie(self, key: str, *, domain: str = "localhost", path: str = "/") -> None:
        """Forget a cookie; without effect when it is not kept."""
        cookie = find_cookie(self.cookies.jar, key, domain, path)
        if cookie is not None:
            self.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)

    # --- what the transport asks ----------------------------------------------------------------

    def _raises(self) -> bool:
        if self._raise_app_exceptions is not None:
            return self._raise_app_exceptions
        config = getattr(self.app, "config", None)
        if not isinstance(config, Mapping):
            return True
        propagate = config.get("PROPAGATE_EXCEPTIONS")
        if propagate is not None:
            return bool(propagate)
        return bool(config.get("TESTING") or config.get("DEBUG"))

    def _prepare(self, request: httpx.Request) -> None:
        """Keep redirects within the host, and send the cookies that a browser would send."""
        host = request.extensions.get(_HOST, request.url.host)
        if request.url.host != host:
            raise RuntimeError(
                f"The application redirected from {host!r} to {str(request.url)!r}, which is "
                "another host and not this application. Call without follow_redirects= and look "
                "at response.location."
            )
        given = request.extensions.get(_COOKIE)
        if given is None or request.headers.get("cookie", "") != given:
            request.headers.pop("cookie", None)
            self.cookies.set_cookie_header(request)
