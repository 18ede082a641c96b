"""Floor 8: who may look into a failure, and who may type there.

Looking takes a peer on this machine that asks for a loopback host: to it pages show source and
locals. Typing takes the token of the terminal, and a request that only the page itself can send.
"""

import hmac
import secrets
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from erlen.exceptions import WireError
from erlen.protocols import Scope
from erlen.wire.cookies import dump_cookie, parse_cookie
from erlen.wire.origins import field_values, is_same_origin
from erlen.wire.urls import check_host

#: Tokens that may be tried, by all clients together, until the process ends.
TRIES = 10
#: Request field in which a page proves that it is one of ours.
KEY_FIELD = b"x-erlen-page"
_COOKIE = "erlen_debugger"
#: Fields by which a proxy on this machine shows that it speaks for somebody else.
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")


class Gate:
    """The one check before every answer of the debugger.

    Attributes:
        token: 128 random bits in hexadecimal; written to the terminal and nowhere else.
        refusal: Why nobody may type, ``""`` when somebody may.
    """

    def __init__(self, token: str | None = None, *, host: str = "127.0.0.1", workers: int = 1):
        """Make a gate.

        Args:
            token: One that a supervisor hands on from process to process; a new one otherwise.
            host: What the server listens on.
            workers: Its processes.

        Raises:
            ValueError: *token* has fewer than 32 characters.
        """
        if token is not None and len(token) < 32:
            raise ValueError(
                f"The debugger's token has {len(token)} characters, fewer than 128 bits need. Give "
                "secrets.token_hex(16), or none."
            )
        self.token = token or secrets.token_hex(16)
        self.refusal = _refusal(host, workers)
        self._tries = 0
        self._cookie = self._derive("cookie")

    def _derive(self, purpose: str) -> str:
        """Return a secret that gives nothing away of the token that it is made of."""
        return hmac.digest(self.token.encode(), purpose.encode(), "sha256").hex()

    # --- looking ----------------------------------------------------------------------------------

    def why_hidden(self, scope: Scope) -> str:
        """Return why this client may see neither source nor locals, ``""`` when it may."""
        client = scope.get("client")
        if client is None or not _is_loopback(client[0]):
            return "The debugger answers to this machine only, and the request comes from another."
        if any(key.lower() in _FORWARDED for key, _ in scope["headers"]):
            return "The debugger answers to this machine only, and a proxy has sent the request."
        # SAFETY: a page of the internet can give its own name this machine's address, and would be
        # of the same origin then (DNS rebinding).
        if _host_of(scope) is None:
            return "The debugger answers to localhost only, and the request is for another host."
        return ""

    def is_unlocked(self, scope: Scope) -> bool:
        """Whether the client may look, and has given the token before."""
        if self.refusal or self.why_hidden(scope):
            return False
        given = [
            value
            for field in field_values(scope["headers"], b"cookie")
            for name, value in _cookies(field)
            if name == _COOKIE
        ]
        return any(_equal(value, self._cookie) for value in given)

    # --- typing -----------------------------------------------------------------------------------

    def page_key(self, page: str) -> str:
        """Return what the page of a failure, by its id, must send along with each command."""
        return self._derive(f"page {page}")

    def why_refused(self, scope: Scope, page: str) -> str:
        """Return why this request is no command of that page, ``""`` when it is one.

        Whether the token was given is another question: :meth:`is_unlocked`.
        """
        refusal = self.refusal or self.why_hidden(scope)
        if refusal:
            return refusal
        headers = scope["headers"]
        # SAFETY: links, images and forms of other pages can send GET and plain POST anywhere.
        if scope["method"] != "POST" or not _is_json(field_values(headers, b"content-type")):
            return "Commands are sent by POST, as JSON."
        origin = field_values(headers, b"origin")
        host = _host_of(scope) or ""
        if len(origin) != 1 or not is_same_origin(origin[0], scope["scheme"], host):
            return "Commands come from the debugger's own pages only."
        for name, allowed in (
            (b"sec-fetch-site", {"same-origin"}),
            (b"sec-fetch-mode", {"cors", "same-origin"}),
        ):
            if not allowed.issuperset(field_values(headers, name)):
                return "Commands come from the debugger's own pages only."
        key = field_values(headers, KEY_FIELD)
        if len(key) != 1 or not _equal(key[0], self.page_key(page)):
            return "The page is of another start of the server. Load it again."
        return ""

    def try_token(self, token: str) -> bool:
        """Whether *token* is the right one; after :data:`TRIES` wrong ones none is.

        SAFETY: counted before it is compared, without an await in between, so that a hundred
        clients at once have ten tries together.
        """
        if self._tries >= TRIES:
            return False
        self._tries += 1
        if not _equal(token.strip(), self.token):
            return False
        self._tries -= 1
        return True

    def cookie(self, scope: Scope, path: str) -> str:
        """Return the ``Set-Cookie`` value that unlocks everything below *path*."""
        return dump_cookie(
            _COOKIE,
            self._cookie,
            path=path,
            httponly=True,
            samesite="Strict",
            secure=scope["scheme"] == "https",
        )


def _refusal(host: str, workers: int) -> str:
    if workers > 1:
        return (
            f"The console is off: {workers} processes serve, and a failure is kept in one of them. "
            "Serve with one worker."
        )
    if host != "localhost" and not _is_loopback(host):
        return (
            f"The console is off: the server listens on {host!r}, where others can reach it. "
            "Listen on 127.0.0.1."
        )
    return ""


def _is_loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_loopback


def _host_of(scope: Scope) -> str | None:
    """Return the value of Host when it names this machine, else ``None``."""
    values = field_values(scope["headers"], b"host")
    if len(values) != 1:
        return None
    try:
        host = check_host(values[0].encode("latin-1"))
    except WireError:
        return None
    name = urlsplit(f"//{host}").hostname or ""
    # SPEC: RFC 6761 section 6.3: names below localhost are this machine's, and browsers ask no DNS.
    is_ours = name == "localhost" or name.endswith(".localhost") or _is_loopback(name)
    return host if is_ours else None


def _is_json(types: list[str]) -> bool:
    return len(types) == 1 and types[0].partition(";")[0].strip(" \t").lower() == "application/json"


def _cookies(field: str) -> list[tuple[str, str]]:
    try:
        return parse_cookie(field)
    except WireError:
        return []


def _equal(given: str, right: str) -> bool:
    """Compare in a time that says nothing of how much was right."""
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())
