"""Floor 8: the debugger's pages, of its own templates, with nothing from elsewhere."""

import functools
import linecache
import secrets
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2

from erlen.debugger.failures import Failure, Failures, Locals
from erlen.debugger.frames import Frame
from erlen.debugger.live import Live, tasks
from erlen.debugger.reports import relation_words, traceback_of
from erlen.debugger.starts import Start
from erlen.debugger.veil import Veil

_FOLDER = Path(__file__).parent / "templates"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        relation_words=relation_words, folded=folded, started_code=started_code
    )
    environment.filters["span"] = span
    return environment


class Page:
    """A page that is about to be sent: its text and what its header section must say."""

    def __init__(self, name: str, **values: Any) -> None:
        """Render the template *name*."""
        self._nonce = secrets.token_urlsafe(16)
        style, script = ((_FOLDER / file).read_text("utf-8") for file in ("style.css", "desk.js"))
        text = (
            _environment()
            .get_template(name)
            .render(nonce=self._nonce, style=style, script=script, **values)
        )
        self.body = text.encode(errors="backslashreplace")

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the fields that keep a page's content in, and everything else out."""
        policy = (
            f"default-src 'none'; style-src 'nonce-{self._nonce}'; script-src 'nonce-{self._nonce}'"
            "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
            "; frame-ancestors 'none'"
        )
        return [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-security-policy", policy.encode()),
            (b"x-frame-options", b"DENY"),
        ]


def failure_page(
    failure: Failure, texts: Locals, *, base: str, key: str, unlocked: bool, notice: str
) -> Page:
    """Return the page of a failure.

    Args:
        failure: What is shown.
        texts: Its local variables.
        base: Path of the debugger, with a slash at its end.
        key: What the page sends with its commands; ``""`` for a page without source and locals.
        unlocked: Whether the token was given.
        notice: Why there is no console, ``""`` when there is one.
    """
    return Page(
        "failure.html",
        title=failure.chain[0].line,
        failure=failure,
        facts=failure.facts,
        locals=texts,
        traceback=traceback_of(failure) if key else "",
        base=base,
        page=failure.id,
        key=key,
        unlocked=unlocked,
        notice=notice,
        renews=failure.facts.kind in ("import", "startup"),
    )


def overview_page(failures: Failures, live: Live, *, base: str, key: str) -> Page:
    """Return the list of what failed and what goes on."""
    return Page(
        "overview.html",
        title="erlen",
        failures=list(failures),
        requests=[each for each in live.running() if not each.is_websocket],
        sockets=[each for each in live.running() if each.is_websocket],
        ended=list(live.ended()),
        tasks=tasks(live),
        base=base,
        page="",
        key=key,
        unlocked=True,
        notice="",
        renews=False,
    )


def locked_page(*, base: str, page: str, key: str, notice: str) -> Page:
    """Return the page that asks for the token, and leads to *page* then."""
    return Page(
        "locked.html",
        title="Locked",
        base=base,
        page=page,
        key=key,
        unlocked=False,
        notice=notice,
        renews=False,
    )


def folded(frames: Sequence[Frame]) -> list[tuple[bool, list[Frame]]]:
    """Return the frames in stretches: those of libraries, to be folded, and the others."""
    return [
        (is_library, list(stretch))
        for is_library, stretch in groupby(frames, lambda frame: frame.kind == "library")
    ]


def started_code(start: Start, veil: Veil) -> str:
    """Return the line of source that has started a task."""
    linecache.checkcache(start.file)
    return veil(linecache.getline(start.file, start.links[-1].number).strip())


def span(seconds: float) -> str:
    """Return a length of time for people: ``"12 ms"``, ``"3.4 s"``, ``"5 min"``."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
