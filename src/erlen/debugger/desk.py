"""Floor 8: the addresses below ``/_erlen/``: the list, the failures, and the commands to them."""

import json
from typing import Any

from erlen.debugger.console import Console
from erlen.debugger.failures import Failure, Failures
from erlen.debugger.gate import Gate
from erlen.debugger.live import Live
from erlen.debugger.pages import Page, failure_page, locked_page, overview_page
from erlen.debugger.reports import HTML, TEXT, as_problem, as_text, wanted
from erlen.protocols import Message, RawHeaders, Receive, Scope, Send

#: Where the debugger is, below the root path.
PATH = "/_erlen/"
#: Bytes of a command.
_COMMAND_LIMIT = 256 * 1024
_NOT_UNLOCKED = (
    "This is not the token, or ten wrong ones were given before. Copy it from the terminal; start "
    "the server again for a new one."
)

#: What keeps a page from being stored, framed, guessed at, or opened by others.
_ALWAYS: RawHeaders = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class _Refused(Exception):
    """A command that is not carried out."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Desk:
    """Answers for the debugger, behind its gate.

    Attributes:
        gate: Who is let in.
        failures: What is shown to them, and what :attr:`live` knows.
        live: What goes on.
    """

    def __init__(self, gate: Gate, failures: Failures, live: Live) -> None:
        """*failures* and *live* are shown to whom *gate* lets in."""
        self.gate = gate
        self.failures = failures
        self.live = live

    def answers(self, scope: Scope) -> bool:
        """Whether a request is for an address of the debugger."""
        return bool(scope["type"] == "http") and f"{_path(scope)}/".startswith(PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for an address of the debugger."""
        try:
            if scope["method"] in {"GET", "HEAD"} and (page := await self._page(scope)):
                await self._send_page(scope, send, 200, page)
                return
            fields, answer = await self._obey(scope, receive)
            status = 200
        except _Refused as refused:
            status, fields, answer = refused.status, [], {"detail": str(refused)}
        body = json.dumps(answer).encode()
        await self._send(
            scope, send, status, [(b"content-type", b"application/json"), *fields], body
        )

    # --- pages ------------------------------------------------------------------------------------

    async def answer_failure(self, failure: Failure, scope: Scope, send: Send) -> None:
        """Answer the request that failed: 500, with as much as its client may see."""
        hidden = self.gate.why_hidden(scope)
        address = f"{_origin(scope)}{_base(scope)}{failure.id}"
        kind = wanted(scope)
        if kind == HTML:
            await self._send_page(scope, send, 500, await self._failure_page(failure, scope))
            return
        write = as_text if kind == TEXT else as_problem
        body = write(failure, address, hidden=hidden, refusal=self.gate.refusal)
        await self._send(scope, send, 500, [(b"content-type", _typed(kind))], body)

    async def _failure_page(self, failure: Failure, scope: Scope) -> Page:
        hidden = self.gate.why_hidden(scope)
        return failure_page(
            failure,
            {} if hidden else await failure.locals(),
            base=_base(scope),
            key="" if hidden else self.gate.page_key(failure.id),
            unlocked=self.gate.is_unlocked(scope),
            notice=hidden or self.gate.refusal,
        )

    async def _page(self, scope: Scope) -> Page | None:
        """Return the page at an address; ``None`` for the address of a command.

        Raises:
            _Refused: 403 for a client from elsewhere, 404 for what is not there.
        """
        if hidden := self.gate.why_hidden(scope):
            raise _Refused(403, hidden)
        name = _path(scope).removeprefix(PATH.rstrip("/")).removeprefix("/")
        if "/" in name:
            return None
        key = self.gate.page_key(name)
        failure = self._find(name) if name else None
        if not self.gate.is_unlocked(scope):
            return locked_page(base=_base(scope), page=name, key=key, notice=self.gate.refusal)
        if failure is None:
            return overview_page(self.failures, self.live, base=_base(scope), key=key)
        return await self._failure_page(failure, scope)

    def _find(self, name: str) -> Failure:
        failure = self.failures.find(name)
        if failure is None:
            raise _Refused(404, "This failure was let go: the last 16 are kept, by this process.")
        return failure

    # --- commands ---------------------------------------------------------------------------------

    async def _obey(self, scope: Scope, receive: Receive) -> tuple[RawHeaders, dict[str, Any]]:
        """Carry out a command: ``unlock``, ``unlocked``, or ``<failure>/<frame>/<what>``.

        Raises:
            _Refused: It is not carried out.
        """
        page, _, rest = _path(scope).removeprefix(PATH).rpartition("/")
        page, _, index = page.partition("/")
        if refused := self.gate.why_refused(scope, page):
            raise _Refused(403, refused)
        given = await _read(receive)
        if rest == "unlock" and not index:
            return self._unlock(scope, given), {"unlocked": True}
        is_unlocked = self.gate.is_unlocked(scope)
        if rest == "unlocked" and not index:
            # Only here the page of a failure learns it: its own address is not sent the cookie.
            return [], {"unlocked": is_unlocked}
        if not is_unlocked:
            raise _Refused(403, "The console is locked. Give the token from the terminal.")
        command = _COMMANDS.get(rest)
        console = self._find(page).console(int(index)) if _is_index(index) else None
        if command is None or console is None:
            raise _Refused(404, "There is no such frame or command.")
        return [], await command(console, str(given.get("source", "")))

    def _unlock(self, scope: Scope, given: dict[str, Any]) -> RawHeaders:
        if not self.gate.try_token(str(given.get("token", ""))):
            raise _Refused(403, _NOT_UNLOCKED)
        return [(b"set-cookie", self.gate.cookie(scope, _base(scope)).encode())]

    # --- answers ----------------------------------------------------------------------------------

    async def _send_page(self, scope: Scope, send: Send, status: int, page: Page) -> None:
        await self._send(scope, send, status, page.headers(), page.body)

    async def _send(
        self, scope: Scope, send: Send, status: int, fields: RawHeaders, body: bytes
    ) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*fields, *_ALWAYS, (b"content-length", b"%d" % len(body))],
            }
        )
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})


async def _evaluate(console: Console, source: str) -> dict[str, Any]:
    return (await console.evaluate(source)).as_json()


async def _complete(console: Console, source: str) -> dict[str, Any]:
    start, names = await console.complete(source)
    return {"start": start, "names": names}


async def _interrupt(console: Console, _source: str) -> dict[str, Any]:
    return {"interrupted": console.interrupt()}


_COMMANDS = {"evaluate": _evaluate, "complete": _complete, "interrupt": _interrupt}


async def _read(receive: Receive) -> dict[str, Any]:
    """Return the object that a command brings.

    Raises:
        _Refused: 413 when it is too long, 400 when it is none.
    """
    body, more = b"", True
    while more:
        message: Message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _COMMAND_LIMIT:
            raise _Refused(413, "The command is too long.")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise _Refused(400, "The command is no JSON object.")
    return given


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


def _typed(kind: str) -> bytes:
    return b"%b; charset=utf-8" % kind.encode() if kind == TEXT else kind.encode()


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))


def _base(scope: Scope) -> str:
    return f"{scope.get('root_path', '').rstrip('/')}{PATH}"


def _origin(scope: Scope) -> str:
    """Return scheme and host as the client knows them."""
    host = next((value for key, value in scope["headers"] if key.lower() == b"host"), b"")
    return f"{scope['scheme']}://{host.decode('latin-1')}"
