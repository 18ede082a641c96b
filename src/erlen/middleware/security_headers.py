"""Floor 8: fields that tell browsers what a page may do and who may embed it."""

import secrets
from collections.abc import Mapping
from typing import Any

from erlen.context import current
from erlen.exceptions import OutsideContextError
from erlen.middleware.responding import editing
from erlen.protocols import ASGIApp, RawHeaders, Receive, Scope, Send

_NONCE = "erlen.csp_nonce"
_SENT_WITH_ALL = ((b"x-content-type-options", b"nosniff"),)
_SENT_WITH_PAGES = (
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def csp_nonce() -> str:
    """Return the nonce of the running exchange.

    After ``app.add_template_global(csp_nonce)`` templates have it, too:
    ``<script nonce="{{ csp_nonce() }}">``.

    Raises:
        OutsideContextError: No :class:`SecurityHeaders` with a nonce stands before the application.
    """
    scope = current().scope
    try:
        nonce: str = scope[_NONCE]
    except (KeyError, TypeError):
        raise OutsideContextError(
            "csp_nonce() was called, but no policy of this exchange has a nonce. Add the "
            'middleware: app.add_middleware(SecurityHeaders, csp={"script-src": "\'nonce\'"}).'
        ) from None
    return nonce


class SecurityHeaders:
    """Adds fields that browsers obey; a field that the application has set itself stays.

    To everything ``X-Content-Type-Options: nosniff``, to HTML also ``Referrer-Policy:
    same-origin``, ``X-Frame-Options: DENY`` and ``Cross-Origin-Opener-Policy: same-origin``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        csp: Mapping[str, str] | None = None,
        csp_report_only: bool = False,
        hsts: int | None = None,
        hsts_subdomains: bool = False,
        headers: Mapping[str, str | None] | None = None,
    ) -> None:
        """Wrap *app*.

        Args:
            app: The ASGI application.
            csp: Content-Security-Policy: directive → sources. ``'nonce'`` among the sources stands
                for a nonce that is another one in each response; see :func:`csp_nonce`.
            csp_report_only: Browsers report what breaks the policy, and let it pass.
            hsts: Seconds for which browsers use https only, sent over https; off by default,
                because it cannot be taken back.
            hsts_subdomains: So also for all subdomains.
            headers: Other values of these fields or further ones, ``None`` to leave one out.

        Raises:
            ValueError: *hsts* is negative.
        """
        self._app = app
        changed = {name.lower().encode(): value for name, value in (headers or {}).items()}
        own = [(name, value.encode()) for name, value in changed.items() if value is not None]
        self._always = [*(pair for pair in _SENT_WITH_ALL if pair[0] not in changed), *own]
        self._with_pages = [pair for pair in _SENT_WITH_PAGES if pair[0] not in changed]
        self._policy = "; ".join(f"{name} {value}".rstrip() for name, value in (csp or {}).items())
        self._has_nonce = "'nonce'" in self._policy
        self._policy_name = b"content-security-policy"
        if csp_report_only:
            self._policy_name += b"-report-only"
        if hsts is not None and hsts < 0:
            raise ValueError(f"hsts={hsts!r} is no time. Give seconds, 0 to end it, or None.")
        self._hsts: list[tuple[bytes, bytes]] = []
        if hsts is not None:
            domains = "; includeSubDomains" if hsts_subdomains else ""
            self._hsts = [(b"strict-transport-security", f"max-age={hsts}{domains}".encode())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the exchange on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = self._policy
        if self._has_nonce:
            nonce = secrets.token_urlsafe(16)
            scope = {**scope, _NONCE: nonce}
            policy = policy.replace("'nonce'", f"'nonce-{nonce}'")
        always = self._always if scope.get("scheme") != "https" else [*self._always, *self._hsts]
        of_pages = self._with_pages
        if policy:
            of_pages = [*of_pages, (self._policy_name, policy.encode())]

        def add(_status: int, headers: RawHeaders) -> RawHeaders:
            names: dict[bytes, Any] = dict(headers)
            is_page = names.get(b"content-type", b"").startswith(b"text/html")
            added = [*always, *of_pages] if is_page else always
            return [*headers, *(pair for pair in added if pair[0] not in names)]

        await self._app(scope, receive, editing(send, add))
