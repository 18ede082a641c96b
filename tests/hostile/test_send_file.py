"""Catalogue 2.16 (names and values of send_file) and the files of 2.9: what happens to them meanwhile."""

import os
import random
import resource
import time
from collections.abc import Awaitable, Callable
from email.message import Message
from email.utils import collapse_rfc2231_value
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from werkzeug.http import parse_options_header as werkzeug_parse

from erlen import Erlen
from erlen.exchange.files import CHUNK
from erlen.exchange.response import Response
from erlen.files import send_file, send_from_directory
from erlen.protocols import Message as ASGIMessage
from erlen.wire.params import parse_options_header
from tests.hostile.harness import HOST, LEFT, Answer, Bare, http_scope

LARGE = bytes(range(256)) * 2048  # eight chunks
Make = Callable[[], Awaitable[Response]]


class Files(Erlen):
    """An application whose view ``/file`` sends what :attr:`make` makes."""

    make: Make


@pytest.fixture
def app(tmp_path: Path) -> Files:
    for name, content in {"a.txt": b"a", "large": LARGE, "page.html": b"<script>"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "huge").touch()
    app = Files("send-file", root_path=str(tmp_path))

    @app.get("/ok")
    async def ok() -> str:
        return "ok"

    @app.get("/file")
    async def file() -> Response:
        return await app.make()

    return app


async def ask(app: Files, make: Make, *headers: tuple[bytes, bytes]) -> Answer:
    app.make = make
    return await Bare(app, []).http("/file", headers=[HOST, *headers])


async def named(app: Files, name: str, **more: Any) -> str:
    """Return the disposition of a file that is sent under *name*."""
    answer = await ask(
        app, lambda: send_file("a.txt", as_attachment=True, download_name=name, **more)
    )
    assert [key for key, _ in answer.sent[0]["headers"]].count(b"content-disposition") == 1
    return answer.headers[b"content-disposition"].decode("latin-1")


async def fails(app: Files, error: type[Exception], match: str, make: Make) -> None:
    """Assert that a view that does this is told so, and no file stays open."""
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(error, match=match):
        await ask(app, make)
    assert not opened(app)


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a\r\nX: y", "a\nb", "a\rb", "a\0b"])
async def test_b226_a_name_with_a_line_break_is_the_views_fault(app: Files, name: str) -> None:
    await fails(
        app, ValueError, "line break or NUL", lambda: send_file("a.txt", download_name=name)
    )


def by_email(value: str) -> str:
    """Return the name that the email package reads."""
    message = Message()
    message["Content-Disposition"] = value
    parameters: Any = message.get_params(header="content-disposition")
    *_, last = (text for name, text in parameters if name == "filename")
    return collapse_rfc2231_value(last)


def by_erlen(value: str) -> str:
    return parse_options_header(value)[1]["filename"]


def by_werkzeug(value: str) -> str:
    return werkzeug_parse(value)[1]["filename"]


@pytest.mark.parametrize("parse", [by_email, by_erlen, by_werkzeug])
@pytest.mark.parametrize(
    "name",
    [
        'a";x="b.txt', "a;b.txt", "a,b.txt", "%41.txt", "a b.txt", "a'b.txt", "€.txt", "😀.txt",
        "e\u0301.txt", "a=b.txt", "a%22.txt",
    ],
)  # fmt: skip
async def test_b227_b228_three_parsers_read_the_name_back(
    app: Files, name: str, parse: Callable[[str], str]
) -> None:
    assert parse(await named(app, name)) == name


async def test_b228_what_turns_the_direction_of_writing_is_removed(app: Files) -> None:
    assert by_erlen(await named(app, "exe.\u202etxt\u200f.pdf")) == "exe.txt.pdf"


@pytest.mark.parametrize(
    ("name", "last"),
    [("../../etc/passwd", "passwd"), ("C:\\x", "x"), ("/a/b", "b"), ("a\\..\\b.txt", "b.txt")],
)
async def test_b229_only_the_last_part_of_a_path_is_told(app: Files, name: str, last: str) -> None:
    assert by_erlen(await named(app, name)) == last


async def test_b230_a_long_name_is_cut_and_half_a_character_replaced(app: Files) -> None:
    assert len(by_erlen(await named(app, "x" * 5000 + ".txt")).encode()) <= 255
    assert by_erlen(await named(app, "a\ud800b.txt")) == "a_b.txt"


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_b230_a_name_that_is_none_is_the_views_fault(app: Files, name: str) -> None:
    await fails(app, ValueError, "name", lambda: send_file("a.txt", download_name=name))


@pytest.mark.parametrize("attachment", [True, False])
async def test_b231_the_type_of_a_page_is_never_guessed(app: Files, attachment: bool) -> None:
    answer = await ask(app, lambda: send_file("page.html", as_attachment=attachment))
    assert answer.headers[b"x-content-type-options"] == b"nosniff"
    kind = b"attachment" if attachment else b"inline"
    assert answer.headers[b"content-disposition"].startswith(kind)


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["~/a.txt", "http://host/a.txt", "gone", "file:///etc/passwd"])
async def test_b232_a_path_is_a_path_and_nothing_else(app: Files, path: str) -> None:
    await fails(app, FileNotFoundError, "No such file", lambda: send_file(path))
    assert (await ask(app, lambda: send_from_directory(".", path))).status == 404


async def test_b232_a_folder_is_no_file(app: Files) -> None:
    await fails(app, IsADirectoryError, "Is a directory", lambda: send_file("folder"))
    assert (await ask(app, lambda: send_from_directory(".", "folder"))).status == 404


async def test_b232_a_path_with_nul_is_the_views_fault_or_404(app: Files) -> None:
    await fails(app, ValueError, "null byte|NUL", lambda: send_file("a\0.txt"))
    assert (await ask(app, lambda: send_from_directory(".", "a\0.txt"))).status == 404


async def test_b221_without_descriptors_send_file_is_503(
    app: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("erlen.files.finding.open_file", fail)
    answer = await ask(app, lambda: send_file("a.txt"))
    assert (answer.status, len(answer.log)) == (503, 1)


# --- file objects ---------------------------------------------------------------------------------


class Odd:
    """A file object that does one thing wrong.

    Attributes:
        closed: How often it was closed.
    """

    def __init__(self, *chunks: Any, seekable: bool = False) -> None:
        self.chunks = list(chunks)
        self.closed = 0
        self._seekable = seekable

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return 0

    def seek(self, position: int, whence: int = 0) -> int:
        return 10 if whence else position

    def read(self, size: int) -> Any:
        chunk = self.chunks.pop(0) if self.chunks else b""
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self) -> None:
        self.closed += 1


class AsyncOdd(Odd):
    """The same, read by coroutines."""

    async def read(self, size: int) -> Any:
        return super().read(size)


async def test_b233_text_is_refused(app: Files) -> None:
    make = lambda: send_file(StringIO("text"), "text/plain")  # noqa: E731  # one line of a table
    await fails(app, ValueError, "text mode", make)


async def test_b233_a_closed_file_is_refused(app: Files) -> None:
    file = BytesIO()
    file.close()
    await fails(app, ValueError, "closed file", lambda: send_file(file, "text/plain"))


@pytest.mark.parametrize("kind", [Odd, AsyncOdd])
async def test_b233_what_cannot_seek_is_streamed_and_closed_once(
    app: Files, kind: type[Odd]
) -> None:
    file = kind(b"ab", b"c")
    answer = await ask(app, lambda: send_file(file, "text/plain"), (b"range", b"bytes=0-0"))
    assert (answer.status, answer.body, file.closed) == (200, b"abc", 1)
    assert b"content-length" not in answer.headers


@pytest.mark.parametrize(
    "file",
    [
        lambda: Odd(OSError("broken")), lambda: AsyncOdd(OSError("broken")), lambda: Odd("text"),
        lambda: Odd(b"more than was asked", seekable=True), lambda: Odd(b"few", seekable=True),
        lambda: Odd(OSError("broken"), seekable=True),
    ],
    ids=["raises", "raises-async", "text", "more", "fewer", "raises-seekable"],
)  # fmt: skip
async def test_b233_a_file_that_fails_before_the_first_byte_is_500(
    app: Files, file: Callable[[], Odd]
) -> None:
    odd = file()
    answer = await ask(app, lambda: send_file(odd, "text/plain"))
    # "fewer" has given a chunk's beginning when it ends
    assert (answer.status, odd.closed) == (500, 1)


@pytest.mark.parametrize("kind", [Odd, AsyncOdd])
async def test_b233_a_file_that_fails_in_the_middle_breaks_the_connection(
    app: Files, kind: type[Odd]
) -> None:
    file = kind(b"ab", OSError("broken"))
    app.make = lambda: send_file(file, "text/plain")
    sent, error = await broken(app)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert (sent[1]["more_body"], type(error), file.closed) == (True, OSError, 1)


async def test_b233_a_position_counts_from_where_it_stands(app: Files) -> None:
    file = BytesIO(LARGE)
    file.seek(-3, os.SEEK_END)
    answer = await ask(app, lambda: send_file(file, "text/plain"))
    assert (answer.body, answer.headers[b"content-length"]) == (LARGE[-3:], b"3")


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"etag": 'a"b'}, id="b234-quote"),
        pytest.param({"etag": "a\r\nX: y"}, id="b234-line-break"),
        pytest.param({"max_age": -1}, id="b234-negative"),
        pytest.param({"max_age": float("nan")}, id="b234-nan"),
        pytest.param({"max_age": float("inf")}, id="b234-infinite"),
        pytest.param({"last_modified": 10**12}, id="b234-year-10000"),
        pytest.param({"last_modified": float("nan")}, id="b234-no-date"),
        pytest.param({"mimetype": "text/html\r\nX: y"}, id="b236-line-break"),
        pytest.param({"mimetype": "text/html; charset=klingon"}, id="b236-charset"),
    ],
)
async def test_a_value_that_cannot_be_sent_is_the_views_fault(
    app: Files, values: dict[str, Any]
) -> None:
    await fails(app, ValueError, r"\S", lambda: send_file("large", **values))


async def test_b236_a_known_charset_is_sent(app: Files) -> None:
    answer = await ask(app, lambda: send_file("a.txt", "text/plain; charset=latin-1"))
    assert answer.headers[b"content-type"] == b"text/plain; charset=latin-1"


async def test_b142_a_date_of_an_eleven_digit_year_is_ignored(app: Files) -> None:
    since = (b"if-modified-since", b"Mon, 01 Jan 99999999999 00:00:00 GMT")
    assert (await ask(app, lambda: send_file("large"), since)).status == 200


# --- 2.9: files that change, and huge ones --------------------------------------------------------


@pytest.mark.parametrize("changed", [-(2**40), -1, 0, 2**34 - 1, 253402300800, 10**11])
@pytest.mark.parametrize("name", ["a.txt", "large"])
async def test_b144_a_file_of_any_date_is_served(
    app: Files, monkeypatch: pytest.MonkeyPatch, changed: int, name: str
) -> None:
    """Not every file system takes every date, so the status is made to say it."""
    fstat = os.fstat

    def dated(descriptor: int) -> Any:
        status = fstat(descriptor)
        times = {"st_mtime": float(changed), "st_mtime_ns": changed * 10**9}
        return os.stat_result(tuple(status), times)

    monkeypatch.setattr("erlen.exchange.files.os.fstat", dated)
    answer = await ask(app, lambda: send_file(name))
    assert answer.status == 200
    assert answer.headers[b"last-modified"].endswith(b" GMT")


def change(path: Path, how: str) -> None:
    """Do to a file what happens to files."""
    if how == "truncated":
        os.truncate(path, CHUNK * 2)
    elif how == "grown":
        with path.open("ab") as file:
            file.write(b"more")
    elif how == "replaced":
        path.with_name("new").write_bytes(b"new")
        path.with_name("new").replace(path)
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["grown", "replaced", "deleted"])
async def test_b145_a_file_that_changes_while_it_is_sent_is_sent_as_it_was(
    app: Files, how: str
) -> None:
    app.make = lambda: send_file("large")
    sent, error = await broken(app, lambda: change(Path(app.root_path, "large"), how))
    assert error is None
    assert b"".join(message.get("body", b"") for message in sent) == LARGE
    assert not sent[-1]["more_body"]


async def test_b145_a_file_that_is_truncated_breaks_the_connection(app: Files) -> None:
    app.make = lambda: send_file("large")
    sent, error = await broken(app, lambda: change(Path(app.root_path, "large"), "truncated"))
    assert isinstance(error, EOFError)
    assert b"".join(message.get("body", b"") for message in sent) == LARGE[: CHUNK * 2]
    assert sent[-1]["more_body"]
    assert not opened(app)


async def broken(
    app: Files, at_first_chunk: Callable[[], object] = lambda: None
) -> tuple[list[ASGIMessage], BaseException | None]:
    """Ask for ``/file`` and return what came, and what the server was raised."""
    sent: list[ASGIMessage] = []

    async def send(message: ASGIMessage) -> None:
        sent.append(message)
        if len(sent) == 2:
            at_first_chunk()

    try:
        with anyio.fail_after(10):
            await app(http_scope("/file", (HOST,)), anyio.sleep_forever, send)
    except Exception as error:  # noqa: BLE001  # what it is, the test says
        return sent, error
    return sent, None


@pytest.mark.parametrize("size", [5 * 2**30, 10 * 2**30])
async def test_b146_the_end_of_a_huge_file_costs_nothing(app: Files, size: int) -> None:
    os.truncate(Path(app.root_path, "huge"), size)
    await ask(app, lambda: send_file("huge"), (b"range", b"bytes=0-9"))
    before, start = resident(), time.perf_counter()
    answer = await ask(app, lambda: send_file("huge"), (b"range", b"bytes=-100000"))
    assert time.perf_counter() - start < 0.5
    assert resident() - before <= 2 * 2**20
    assert (answer.status, len(answer.body)) == (206, 100_000)
    content_range = f"bytes {size - 100_000}-{size - 1}/{size}"
    assert answer.headers[b"content-range"] == content_range.encode()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


# --- many clients ---------------------------------------------------------------------------------

CLIENTS = 300


async def test_b235_clients_that_leave_at_any_time_leave_no_file_open(app: Files) -> None:
    seeded = random.Random(235)
    app.make = lambda: send_file("large")
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(CLIENTS):
                tasks.start_soon(leave, app, seeded.randrange(12), seeded.choice(WAYS))
    assert not opened(app)


#: How a client is seen to leave: by ``receive``, by an error of ``send``, by a cancellation.
WAYS = ("told", "error", "cancelled")


async def leave(app: Files, after: int, way: str) -> None:
    """Ask for ``/file`` and leave after so many messages."""
    gone = anyio.Event()
    count = 0

    async def receive() -> ASGIMessage:
        await gone.wait()
        return LEFT

    with anyio.CancelScope() as scope:

        async def send(_: ASGIMessage) -> None:
            nonlocal count
            count += 1
            if count <= after:
                return
            if way == "error":
                raise OSError("the client left")
            if way == "cancelled":
                scope.cancel()
            gone.set()

        await app(http_scope("/file", (HOST,)), receive, send)


def opened(app: Files) -> list[Path]:
    """Return the files of the application that are open."""
    links = map(os.path.realpath, Path("/proc/self/fd").iterdir())
    return [Path(link) for link in links if link.startswith(app.root_path)]
