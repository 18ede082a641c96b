"""Floor 8: only requests for hosts that are the application's own come in."""

from collections.abc import Iterable

from erlen.exceptions import WireError
from erlen.middleware.responding import answer
from erlen.protocols import ASGIApp, Receive, Scope, Send
from erlen.wire.origins import field_values
from erlen.wire.urls import check_host, host_is_trusted


class TrustedHosts:
    """Answers 400 to what is for another host, requests and WebSockets alike.

    An erlen application does the same by ``TRUSTED_HOSTS``; this is for one of another kind, or for
    several that are served together.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], *, exempt: Iterable[str] = ()) -> None:
        """Wrap *app*.

        Args:
            app: The ASGI application.
            hosts: ``"example.com"``, or ``".example.com"`` for that and everything below.
            exempt: Paths that answer for any host: where a load balancer looks.

        Raises:
            ValueError: No host is given.
        """
        self._app = app
        self._hosts = tuple(hosts)
        self._exempt = frozenset(exempt)
        if not self._hosts:
            raise ValueError(
                "TrustedHosts() was given no host, so nothing could be answered. "
                "Give the names under which the application is reached."
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the exchange on, or answer it with 400."""
        if (
            scope["type"] in {"http", "websocket"}
            and scope["path"] not in self._exempt
            and not self._is_ours(scope)
        ):
            await answer(scope, receive, send, 400, "Bad Request\n")
        else:
            await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        values = field_values(scope["headers"], b"host")
        if len(values) != 1:
            return False
        try:
            host = check_host(values[0].encode("latin-1"))
        except WireError:
            return False
        return host_is_trusted(host, self._hosts)
