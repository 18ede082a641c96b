"""Floor 8: the request as the client made it, told by the proxies in front."""

import contextlib
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

from erlen.exceptions import WireError
from erlen.protocols import ASGIApp, Receive, Scope, Send
from erlen.wire.forwarded import (
    Address,
    from_the_right,
    parse_forwarded,
    parse_node,
    parse_port,
    parse_prefix,
    parse_scheme,
    parse_x_forwarded,
)
from erlen.wire.origins import field_values
from erlen.wire.urls import check_host, quote_path

Network: TypeAlias = IPv4Network | IPv6Network

_OF_WEBSOCKETS = {"http": "ws", "https": "wss"}


class ProxyFix:
    """Corrects client, scheme, host, port and root path by what trusted proxies say.

    Nothing is believed but what is asked for here. Each number says how many proxies in front add
    to that field; the value is counted from the right, because a client may invent what stands to
    the left. A field with fewer entries than that, or a malformed one, is ignored as a whole.

    By *trusted*, the addresses of the proxies, requests of other peers keep what they are; the
    client is then the first from the right that is none of the proxies, however many these are, and
    the other fields count from their last entry.
    """

    def __init__(
        self,
        app: ASGIApp,
        x_for: int = 1,
        x_proto: int = 1,
        x_host: int = 0,
        x_port: int = 0,
        x_prefix: int = 0,
        *,
        trusted: Iterable[str] | None = None,
        forwarded: bool = False,
    ) -> None:
        """Wrap *app*.

        Args:
            app: The ASGI application.
            x_for: Proxies that add to X-Forwarded-For.
            x_proto: Proxies that set X-Forwarded-Proto.
            x_host: Proxies that set X-Forwarded-Host.
            x_port: Proxies that set X-Forwarded-Port.
            x_prefix: Proxies that set X-Forwarded-Prefix.
            trusted: Networks of the proxies, ``"10.0.0.0/8"``, and ``"unix"`` for a peer without an
                address.
            forwarded: Read the field Forwarded (RFC 7239) in the place of all X-Forwarded fields.

        Raises:
            ValueError: A network is none.
        """
        self._app = app
        self._for = x_for
        self._proto = x_proto
        self._host = x_host
        self._port = x_port
        self._prefix = x_prefix
        names = None if trusted is None else tuple(trusted)
        self._trusts_unix = names is not None and "unix" in names
        self._networks: tuple[Network, ...] | None = (
            None if names is None else tuple(ip_network(name) for name in names if name != "unix")
        )
        self._reads_forwarded = forwarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the exchange on, corrected."""
        if scope["type"] in {"http", "websocket"} and self._believes(scope.get("client")):
            scope = dict(scope)
            scope["headers"] = list(scope["headers"])
            if self._reads_forwarded:
                self._apply_forwarded(scope)
            else:
                self._apply_x_forwarded(scope)
        await self._app(scope, receive, send)

    def _believes(self, client: Sequence[object] | None) -> bool:
        if self._networks is None:
            return True
        if not client:
            return self._trusts_unix
        try:
            address, _ = parse_node(str(client[0]))
        except WireError:
            return False
        return self._is_proxy(address)

    def _is_proxy(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks or ())

    # --- the fields -------------------------------------------------------------------------------

    def _apply_x_forwarded(self, scope: Scope) -> None:
        for name, count, apply in (
            (b"x-forwarded-for", self._for, self._set_client),
            (b"x-forwarded-proto", self._proto, self._set_scheme),
            (b"x-forwarded-host", self._host, self._set_host),
            (b"x-forwarded-port", self._port, self._set_port),
            (b"x-forwarded-prefix", self._prefix, self._set_prefix),
        ):
            values = field_values(scope["headers"], name) if count else []
            if values:
                with contextlib.suppress(WireError):  # ignored as a whole
                    apply(scope, parse_x_forwarded(values), count)

    def _apply_forwarded(self, scope: Scope) -> None:
        with contextlib.suppress(WireError):
            elements = parse_forwarded(field_values(scope["headers"], b"forwarded"))
            for name, count, apply in (
                ("for", self._for, self._set_client),
                ("proto", self._proto, self._set_scheme),
                ("host", self._host, self._set_host),
            ):
                with contextlib.suppress(WireError):
                    apply(scope, [element.get(name, "") for element in elements], count)

    def _chosen(self, entries: list[str], count: int) -> str:
        """Return the entry that counts, ``""`` for none."""
        if self._networks is not None:
            count = min(count, 1)
        return from_the_right(entries, count) or ""

    def _set_client(self, scope: Scope, entries: list[str], count: int) -> None:
        if self._networks is None:
            entry = self._chosen(entries, count)
        else:
            outside = (
                each for each in reversed(entries) if not self._is_proxy(parse_node(each)[0])
            )
            entry = next(outside, entries[0])
        if entry:
            address, port = parse_node(entry)
            if address is not None:
                scope["client"] = (str(address), port)

    def _set_scheme(self, scope: Scope, entries: list[str], count: int) -> None:
        if value := self._chosen(entries, count):
            scheme = parse_scheme(value)
            scope["scheme"] = _OF_WEBSOCKETS[scheme] if scope["type"] == "websocket" else scheme

    def _set_host(self, scope: Scope, entries: list[str], count: int) -> None:
        if value := self._chosen(entries, count):
            _replace_host(scope, value)

    def _set_port(self, scope: Scope, entries: list[str], count: int) -> None:
        hosts = field_values(scope["headers"], b"host")
        if (value := self._chosen(entries, count)) and len(hosts) == 1:
            end = hosts[0].find(":", hosts[0].find("]") + 1)
            name = hosts[0] if end < 0 else hosts[0][:end]
            _replace_host(scope, f"{name}:{parse_port(value)}")

    def _set_prefix(self, scope: Scope, entries: list[str], count: int) -> None:
        prefix = parse_prefix(self._chosen(entries, count))
        # SPEC: ASGI 2.5: path and raw_path include the root path.
        scope["root_path"] = prefix + (scope.get("root_path") or "").rstrip("/")
        scope["path"] = prefix + scope["path"]
        if isinstance(scope.get("raw_path"), bytes):
            scope["raw_path"] = quote_path(prefix).encode() + scope["raw_path"]


def _replace_host(scope: Scope, value: str) -> None:
    host = check_host(value.encode("latin-1"))
    others = [pair for pair in scope["headers"] if pair[0] != b"host"]
    scope["headers"] = [*others, (b"host", host.encode())]
