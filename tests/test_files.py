"""send_file, send_from_directory, static files and their versions."""

import asyncio  # noqa: TID251  # for its own cancellation, which anyio does not have
import gzip
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import anyio
import pytest
import werkzeug.utils
from anyio import to_thread
from anyio.lowlevel import checkpoint
from werkzeug.test import EnvironBuilder

from erlen import Blueprint, Erlen, Request, request
from erlen.context import current
from erlen.exceptions import OutsideContextError
from erlen.exchange.files import FileSource, OpenedFile, content_of, open_file
from erlen.exchange.response import Response
from erlen.files import add_version, send_file, send_from_directory, send_static, static, version_of
from erlen.files.finding import Found, Search
from erlen.files.kinds import UNKNOWN, guess_type, type_to_keep
from erlen.testing import WebSocketRejected

DATA = bytes(range(256)) * 1024  # four chunks
GZIP = gzip.compress(b"archive")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root path of an application, with files."""
    folder = tmp_path / "root"
    (folder / "static" / "sub").mkdir(parents=True)
    (folder / "static" / "a.css").write_bytes(b"a {}")
    (folder / "static" / "sub" / "b.js").write_bytes(b"b()")
    (folder / "large.bin").write_bytes(DATA)
    (folder / "a.txt").write_bytes(b"0123456789")
    (folder / "é.txt").write_bytes(b"accent")
    (folder / "a.tar.gz").write_bytes(GZIP)
    return folder


@pytest.fixture
def app(root: Path) -> Erlen:
    """An application whose view ``/`` sends the file that :func:`sent` is told."""
    app = Erlen("files", root_path=str(root))
    app.config["TESTING"] = True

    @app.route("/", methods=["GET", "POST"])
    async def index() -> Response:
        answer: Response = await app.extensions["answer"]()
        return answer

    return app


async def sent(
    app: Erlen, file: Any, headers: Any = None, method: str = "GET", **named: Any
) -> Any:
    """Send *file* by a view and return the response of the test client."""
    return await answer(app, lambda: send_file(file, **named), headers, method)


async def sent_from(
    app: Erlen, directory: Any, path: Any, headers: Any = None, **named: Any
) -> Any:
    """The same by ``send_from_directory``."""
    return await answer(app, lambda: send_from_directory(directory, path, **named), headers)


async def answer(app: Erlen, make: Any, headers: Any, method: str = "GET") -> Any:
    app.extensions["answer"] = make
    async with app.test_client() as client:
        return await client.request(method, "/", headers=headers)


# --- a file by its path ---------------------------------------------------------------------------


async def test_sf1_a_relative_path_is_relative_to_the_root_path(app: Erlen, root: Path) -> None:
    assert (await sent(app, "a.txt")).data == b"0123456789"
    assert (await sent(app, Path("static") / "a.css")).data == b"a {}"
    assert (await sent(app, root / "a.txt")).data == b"0123456789"


async def test_sf5_a_file_has_all_its_fields(app: Erlen, root: Path) -> None:
    os.utime(root / "a.txt", (1_700_000_000, 1_700_000_000))
    response = await sent(app, "a.txt")
    etag = response.headers.pop("etag")
    assert etag.startswith(f'"{1_700_000_000 * 10**9:x}-a-')
    assert dict(response.headers) == {
        "accept-ranges": "bytes",
        "cache-control": "no-cache",
        "content-disposition": "inline; filename=a.txt",
        "content-length": "10",
        "content-type": "text/plain; charset=utf-8",
        "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "x-content-type-options": "nosniff",
    }


async def test_sf5_the_tag_changes_with_time_size_and_path(app: Erlen, root: Path) -> None:
    (root / "b.txt").write_bytes(b"9876543210")
    for name in ("a.txt", "b.txt"):
        os.utime(root / name, (5, 5))
    tags = [(await sent(app, name)).headers["etag"] for name in ("a.txt", "b.txt")]
    os.utime(root / "a.txt", ns=(5 * 10**9, 5 * 10**9 + 1))
    tags.append((await sent(app, "a.txt")).headers["etag"])
    assert len(set(tags)) == 3


async def test_sf9_a_large_file_comes_whole(app: Erlen) -> None:
    response = await sent(app, "large.bin")
    assert (response.data, response.headers["content-length"]) == (DATA, str(len(DATA)))


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
async def test_sf9_head_tells_the_length_alone(app: Erlen, root: Path, name: str) -> None:
    app.add_url_rule("/head", view_func=lambda: send_file(name))
    async with app.test_client() as client:
        response = await client.head("/head")
    assert response.headers["content-length"] == str((root / name).stat().st_size)
    assert response.data == b""


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "body"),
    [
        ("bytes=0-3", 206, "bytes 0-3/262144", DATA[:4]),
        ("bytes=-5", 206, "bytes 262139-262143/262144", DATA[-5:]),
        ("bytes=65530-65545", 206, "bytes 65530-65545/262144", DATA[65530:65546]),
        ("items=0-3", 200, None, DATA),
    ],
)
async def test_sf8_a_large_file_has_ranges(
    app: Erlen, asked: str, status: int, content_range: str | None, body: bytes
) -> None:
    response = await sent(app, "large.bin", {"Range": asked})
    assert (response.status_code, response.data) == (status, body)
    assert response.headers.get("content-range") == content_range


class Whole(Request):
    """A request that wants all of a file, whatever its client says."""

    range = None


async def test_a_request_class_decides_what_is_asked_for(app: Erlen, root: Path) -> None:
    app.request_class = Whole
    assert (await sent(app, "large.bin", {"Range": "bytes=0-3"})).status_code == 200
    response = await app.test_client().get("/static/a.css", headers={"Range": "bytes=0-1"})
    assert response.status_code == 200


async def test_sf8_several_ranges_are_parts(app: Erlen) -> None:
    response = await sent(app, "large.bin", {"Range": "bytes=0-1,70000-70001"})
    assert response.status_code == 206
    assert response.mimetype == "multipart/byteranges"
    assert b"bytes 70000-70001/262144" in response.data


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
async def test_sf8_a_range_behind_the_end_is_416_and_closes_the_file(app: Erlen, name: str) -> None:
    before = count_descriptors()
    response = await sent(app, name, {"Range": "bytes=999999-"})
    assert response.status_code == 416
    assert response.headers["content-range"].startswith("bytes */")
    assert count_descriptors() == before


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
async def test_sf7_a_known_file_is_304(app: Erlen, name: str) -> None:
    first = await sent(app, name)
    by_tag = await sent(app, name, {"If-None-Match": f"W/{first.headers['etag']}"})
    by_date = await sent(app, name, {"If-Modified-Since": first.headers["last-modified"]})
    assert (by_tag.status_code, by_date.status_code) == (304, 304)
    assert by_tag.data == b""
    assert by_tag.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
async def test_sf7_another_file_is_412(app: Erlen, name: str) -> None:
    before = count_descriptors()
    response = await sent(app, name, {"If-Match": '"other"'})
    assert (response.status_code, count_descriptors()) == (412, before)


async def test_sf1_without_conditional_no_condition_is_obeyed(app: Erlen) -> None:
    headers = {"Range": "bytes=0-3", "If-None-Match": "*"}
    response = await sent(app, "a.txt", headers, conditional=False)
    assert (response.status_code, response.data) == (200, b"0123456789")
    assert "accept-ranges" not in response.headers


async def test_sf2_a_missing_file_is_the_views_fault(app: Erlen) -> None:
    with pytest.raises(FileNotFoundError):
        await sent(app, "gone.txt")
    with pytest.raises(IsADirectoryError):
        await sent(app, "static/")


# --- names, types, dispositions -------------------------------------------------------------------


async def test_sf4_an_attachment_has_its_name(app: Erlen) -> None:
    response = await sent(app, "é.txt", as_attachment=True)
    disposition = response.headers["content-disposition"]
    assert disposition == "attachment; filename=e.txt; filename*=UTF-8''%C3%A9.txt"
    response = await sent(app, "a.txt", as_attachment=True, download_name="b.pdf")
    assert response.headers["content-disposition"] == "attachment; filename=b.pdf"
    assert response.mimetype == "application/pdf"


async def test_sf3_a_compressed_file_is_in_that_coding(app: Erlen) -> None:
    response = await sent(app, "a.tar.gz", conditional=False)
    assert response.headers["content-type"] == "application/x-tar"
    assert response.headers["content-encoding"] == "gzip"


async def test_sf3_a_compressed_file_that_is_saved_is_no_coding(app: Erlen) -> None:
    response = await sent(app, "a.tar.gz", as_attachment=True)
    assert response.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in response.headers
    assert response.data == GZIP


async def test_sf3_a_given_type_wins(app: Erlen) -> None:
    response = await sent(app, "a.tar.gz", mimetype="text/x-own")
    assert response.headers["content-type"] == "text/x-own; charset=utf-8"
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    ("name", "kind", "coding"),
    [
        ("a.js", "text/javascript", None), ("a.MJS", "text/javascript", None),
        ("a.wasm", "application/wasm", None), ("a.webp", "image/webp", None),
        ("a.avif", "image/avif", None), ("a.woff2", "font/woff2", None),
        ("a.webmanifest", "application/manifest+json", None), ("a.json", "application/json", None),
        ("a.svg", "image/svg+xml", None), ("a.svgz", "image/svg+xml", "gzip"),
        ("a.css.br", "text/css", "br"), ("a.css.zst", "text/css", "zstd"),
        ("a.tgz", "application/x-tar", "gzip"), ("a.gz", UNKNOWN, "gzip"), ("a", UNKNOWN, None),
        ("css", UNKNOWN, None), (".css", UNKNOWN, None), (".gz", UNKNOWN, None), ("", UNKNOWN, None),
        ("a.", UNKNOWN, None), ("a.unheard-of", UNKNOWN, None), ("a.b.html", "text/html", None),
    ],
)  # fmt: skip
def test_b223_types_come_from_a_fixed_table(name: str, kind: str, coding: str | None) -> None:
    assert guess_type(name) == (kind, coding)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.css", "text/css"), ("a.tgz", "application/gzip"), ("a.zst", "application/zstd"),
     ("a.css.br", UNKNOWN)],
)  # fmt: skip
def test_b223_what_is_kept_has_the_type_of_its_archive(name: str, kind: str) -> None:
    assert type_to_keep(name) == kind


# --- caching --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "control"),
    [
        (None, "no-cache"), (60, "public, max-age=60"), (0, "no-cache, max-age=0"),
        (timedelta(hours=1), "public, max-age=3600"), (1.9, "public, max-age=1"),
        (10**12, "public, max-age=2147483647"), (lambda path: len(Path(path).name),
                                                 "public, max-age=5"),
    ],
)  # fmt: skip
async def test_sf5_an_age_may_be_given(app: Erlen, age: Any, control: str) -> None:
    response = await sent(app, "a.txt", max_age=age)
    assert response.headers["cache-control"] == control
    assert ("expires" in response.headers) == (age is not None)


async def test_sf6_the_age_is_that_of_the_application(app: Erlen) -> None:
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = timedelta(minutes=1)
    assert (await sent(app, "a.txt")).headers["cache-control"] == "public, max-age=60"


async def test_sf6_an_application_may_decide_by_the_name(root: Path) -> None:
    class Own(Erlen):
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            return 7 if filename == "a.css" else None

    async with Own("own", root_path=str(root)).test_client() as client:
        assert (await client.get("/static/a.css")).headers["cache-control"] == "public, max-age=7"
        assert (await client.get("/static/sub/b.js")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2024, 2, 29, 1, 2, 3), "Thu, 29 Feb 2024 01:02:03 GMT"),  # noqa: DTZ001  # naive is UTC
        (datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC), "Thu, 29 Feb 2024 01:02:03 GMT"),
        (date(2024, 2, 29), "Thu, 29 Feb 2024 00:00:00 GMT"),
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ],
)
async def test_sf1_a_date_may_be_given(app: Erlen, value: Any, text: str) -> None:
    assert (await sent(app, "a.txt", last_modified=value)).headers["last-modified"] == text


async def test_sf1_a_tag_may_be_given_or_left_out(app: Erlen) -> None:
    assert (await sent(app, "a.txt", etag="abc")).headers["etag"] == '"abc"'
    assert "etag" not in (await sent(app, "a.txt", etag=False)).headers


@pytest.mark.parametrize("changed", [-(10**9), -1, 2**34 - 1])
async def test_b144_an_odd_time_of_change_is_clamped(app: Erlen, root: Path, changed: int) -> None:
    os.utime(root / "a.txt", (changed, changed))
    response = await sent(app, "a.txt")
    at = datetime.fromtimestamp(min(max(changed, 0), time.time()), UTC)
    near = [format_datetime(at - timedelta(seconds=n), usegmt=True) for n in range(3)]
    assert response.headers["last-modified"] in near


# --- file objects ---------------------------------------------------------------------------------


async def test_sf3_bytes_in_memory_are_sent_from_their_position(app: Erlen) -> None:
    file = BytesIO(b"0123456789")
    file.seek(4)
    response = await sent(app, file, mimetype="text/plain")
    assert (response.data, response.headers["content-length"]) == (b"456789", "6")
    assert file.closed
    assert "content-disposition" not in response.headers
    assert "etag" not in response.headers


async def test_sf8_an_open_file_has_length_and_ranges_and_is_closed(app: Erlen, root: Path) -> None:
    file = (root / "large.bin").open("rb")
    file.seek(100)
    response = await sent(app, file, {"Range": "bytes=-5"}, download_name="x.bin")
    assert (
        response.headers["content-range"]
        == f"bytes {len(DATA) - 105}-{len(DATA) - 101}/{len(DATA) - 100}"
    )
    assert response.data == DATA[-5:]
    assert file.closed


async def test_b233_a_file_that_cannot_seek_is_streamed(app: Erlen) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"from a pipe")
    os.close(write_end)
    pipe = os.fdopen(read_end, "rb")
    response = await sent(app, pipe, {"Range": "bytes=0-1"}, mimetype="text/plain")
    assert (response.status_code, response.data) == (200, b"from a pipe")
    assert "accept-ranges" not in response.headers
    assert "content-length" not in response.headers
    assert pipe.closed


async def test_b233_a_file_of_coroutines_is_streamed(app: Erlen, root: Path) -> None:
    file = await anyio.open_file(root / "large.bin", "rb")
    response = await sent(app, file, download_name="x.bin")
    assert response.data == DATA
    assert file.wrapped.closed


@pytest.mark.parametrize(
    "make",
    [
        lambda: StringIO("text"),
        lambda: Path(__file__).open(encoding="utf-8"),  # noqa: SIM115  # closed below
        lambda: tempfile.NamedTemporaryFile("w+"),  # noqa: SIM115  # closed below
    ],
    ids=["memory", "file", "wrapped"],
)
async def test_sf3_text_is_refused(app: Erlen, make: Any) -> None:
    with make() as file, pytest.raises(ValueError, match="open in text mode"):
        await sent(app, file, mimetype="text/plain")


async def test_sf3_a_file_object_needs_a_type(app: Erlen) -> None:
    with pytest.raises(TypeError, match="Give mimetype="):
        await sent(app, BytesIO())


async def test_sf4_an_attachment_needs_a_name(app: Erlen) -> None:
    with pytest.raises(TypeError, match="Give download_name="):
        await sent(app, BytesIO(), mimetype="text/plain", as_attachment=True)


async def test_what_cannot_be_read_is_no_file(app: Erlen) -> None:
    with pytest.raises(TypeError, match=r"object of type list is no file|of type list is no file"):
        await sent(app, ["a.txt"], mimetype="text/plain")


async def test_b233_a_closed_file_is_an_error(app: Erlen, root: Path) -> None:
    file = (root / "a.txt").open("rb")
    file.close()
    with pytest.raises(ValueError, match="closed file"):
        await sent(app, file, mimetype="text/plain")


async def test_a_response_class_that_fails_leaves_no_file_open(app: Erlen) -> None:
    def fail(*_: Any, **__: Any) -> Response:
        raise LookupError("not today")

    before = count_descriptors()
    async with app.app_context():
        app.response_class = fail  # type: ignore[assignment]  # a seat that is filled wrongly
        with pytest.raises(LookupError):
            await send_file("large.bin")
        with pytest.raises(LookupError):
            await send_file("a.txt")
    assert count_descriptors() == before


async def test_a_response_class_may_obey_conditions_in_its_own_way(app: Erlen) -> None:
    class Own(Response):
        def make_conditional(self, request: Any, *_: Any, **__: Any) -> Any:
            self.headers["X-Asked"] = request.path
            return self

    app.response_class = Own
    response = await sent(app, "a.txt", {"If-None-Match": "*"})
    assert (response.status_code, response.headers["x-asked"]) == (200, "/")


async def test_conditions_are_obeyed_whether_or_not_the_request_was_looked_at(app: Erlen) -> None:
    async def looked() -> Response:
        assert request.path == "/"
        return await send_file("a.txt")

    for make in (looked, lambda: send_file("a.txt")):
        response = await answer(app, make, {"Range": "bytes=1-2", "If-Match": "*"})
        assert (response.status_code, response.data) == (206, b"12")


async def test_a_file_may_refuse_the_handshake_of_a_websocket(app: Erlen) -> None:
    app.websocket("/socket")(lambda: send_file("a.txt"))
    with pytest.raises(WebSocketRejected) as caught:
        async with app.test_client().websocket("/socket"):
            pass
    assert (caught.value.response.status_code, caught.value.response.data) == (200, b"0123456789")


async def test_a_file_outside_of_an_exchange_has_no_conditions_to_obey(app: Erlen) -> None:
    async with app.app_context():
        with pytest.raises(OutsideContextError, match="application context"):
            await send_file("a.txt")
        assert (await send_file("a.txt", conditional=False)).status_code == 200


# --- X-Sendfile -----------------------------------------------------------------------------------


async def test_sf10_the_server_in_front_is_told_the_path(app: Erlen, root: Path) -> None:
    app.config["USE_X_SENDFILE"] = True
    response = await sent(app, "large.bin", {"Range": "bytes=0-1"})
    assert response.headers["x-sendfile"] == str(root / "large.bin")
    assert (response.status_code, response.data) == (200, b"")
    response = await sent(app, "large.bin", {"If-None-Match": response.headers["etag"]})
    assert response.status_code == 304
    assert "x-sendfile" not in response.headers


async def test_sf10_a_path_is_told_in_its_own_bytes(app: Erlen, root: Path) -> None:
    app.config["USE_X_SENDFILE"] = True
    response = await sent(app, "é.txt")
    raw = dict(response.headers.raw)
    assert next(v for k, v in raw.items() if k.lower() == b"x-sendfile") == os.fsencode(
        root / "é.txt"
    )


async def test_sf10_a_file_object_is_sent_by_erlen(app: Erlen) -> None:
    app.config["USE_X_SENDFILE"] = True
    response = await sent(app, BytesIO(b"x"), mimetype="text/plain")
    assert (response.data, "x-sendfile" in response.headers) == (b"x", False)


# --- from a directory -----------------------------------------------------------------------------


async def test_sf2_a_directory_is_relative_to_the_root_path(app: Erlen, root: Path) -> None:
    assert (await sent_from(app, "static", "sub/b.js")).data == b"b()"
    response = await sent_from(app, root / "static", Path("sub/b.js"), download_name="c.css")
    assert response.mimetype == "text/css"
    assert response.headers["content-disposition"] == "inline; filename=c.css"


@pytest.mark.parametrize(
    "name", ["../a.txt", "/etc/passwd", "sub", "gone", "", ".", "sub/", ".env"]
)
async def test_sf2_what_is_no_file_below_is_404(app: Erlen, root: Path, name: str) -> None:
    (root / "static" / ".env").write_text("secret")
    assert (await sent_from(app, "static", name)).status_code == 404


async def test_b206_links_may_lead_where_it_is_allowed(app: Erlen, root: Path) -> None:
    (root / "static" / "up.txt").symlink_to("../a.txt")
    (root / "media").mkdir()
    (root / "media" / "m.txt").write_text("m")
    (root / "static" / "m.txt").symlink_to("../media/m.txt")
    assert (await sent_from(app, "static", "m.txt")).status_code == 404
    assert (await sent_from(app, "static", "m.txt", links_to=["media"])).data == b"m"
    assert (await sent_from(app, "static", "up.txt", links_to=["media"])).status_code == 404


async def test_an_error_of_the_disk_is_not_the_clients(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("erlen.files.below.open_below", fail)
    with pytest.raises(OSError, match="Input/output error"):
        await sent_from(app, "static", "a.css")


# --- static files ---------------------------------------------------------------------------------


@pytest.fixture
def compressed(root: Path) -> Path:
    """A static file with its neighbours."""
    folder = root / "static"
    for ending in ("br", "zst", "gz"):
        (folder / f"a.css.{ending}").write_bytes(ending.encode())
    return folder


async def asked(
    app: Erlen, path: str, accept: str = "", method: str = "GET", **headers: str
) -> Any:
    headers["Accept-Encoding"] = accept
    async with app.test_client() as client:
        return await client.request(method, path, headers=headers)


async def chosen(app: Erlen, path: str, accept: str) -> str | None:
    """Return the coding of the answer; its content is none that a client could decode."""
    response = await asked(app, path, accept, "HEAD")
    coding: str | None = response.headers.get("content-encoding")
    return coding


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"), ("gzip, deflate, br, zstd", "br"), ("gzip, zstd", "zstd"),
        ("br;q=0.5, gzip", "gzip"), ("", None), ("deflate", None), ("br;q=0, gzip", "gzip"),
        ("gzip;q=0", None), ("*", "br"), ("identity, gzip;q=0.5", None), ("gzip, identity", "gzip"),
        ("GZIP;q=0.001", "gzip"), ("*;q=0", None),
    ],
)  # fmt: skip
async def test_a_neighbour_is_sent_to_who_accepts_it(
    app: Erlen, compressed: Path, accept: str, coding: str | None
) -> None:
    response = await asked(app, "/static/a.css", accept, "HEAD")
    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert response.headers["content-disposition"] == "inline; filename=a.css"
    length = {"br": "2", "zstd": "3", "gzip": "2", None: "4"}[coding]
    assert response.headers["content-length"] == length


async def test_b135_a_neighbour_has_its_own_tag_and_no_ranges(app: Erlen, compressed: Path) -> None:
    (compressed / "a.css.gz").write_bytes(GZIP)
    plain = await asked(app, "/static/a.css")
    response = await asked(app, "/static/a.css", "gzip", Range="bytes=0-0")
    assert (response.status_code, response.data) == (200, b"archive")
    tag = response.headers["etag"]
    assert tag != plain.headers["etag"]
    response = await asked(app, "/static/a.css", "gzip", **{"If-None-Match": tag})
    assert (response.status_code, response.headers["vary"]) == (304, "Accept-Encoding")


async def test_a_neighbour_has_its_own_tag_when_one_is_given(app: Erlen, compressed: Path) -> None:
    named: dict[str, Any] = {"precompressed": True, "etag": "abc"}
    (compressed / "a.css.gz").write_bytes(GZIP)
    accept = {"Accept-Encoding": "x" * 200 + ",gzip"}
    none = {"Accept-Encoding": ""}
    assert (await sent_from(app, "static", "a.css", none, **named)).headers["etag"] == '"abc"'
    response = await sent_from(app, "static", "a.css", accept, **named)
    assert response.headers["etag"] == '"abc-gzip"'


async def test_a_neighbour_that_is_older_is_not_sent(app: Erlen, compressed: Path) -> None:
    os.utime(compressed / "a.css.br", (5, 5))
    assert await chosen(app, "/static/a.css", "br, gzip") == "gzip"


async def test_a_neighbour_of_the_same_second_is_not_older(app: Erlen, compressed: Path) -> None:
    os.utime(compressed / "a.css", (9.5, 9.5))
    os.utime(compressed / "a.css.br", (9, 9))
    assert await chosen(app, "/static/a.css", "br") == "br"


async def test_a_neighbour_that_is_no_file_is_passed_over(app: Erlen, compressed: Path) -> None:
    (compressed / "a.css.br").unlink()
    (compressed / "a.css.br").mkdir()
    assert await chosen(app, "/static/a.css", "br, gzip") == "gzip"


async def test_what_is_compressed_already_has_no_neighbours(app: Erlen, compressed: Path) -> None:
    (compressed / "a.css.gz.br").write_bytes(b"twice")
    response = await asked(app, "/static/a.css.gz", "br", "HEAD")
    assert response.headers["content-encoding"] == "gzip"
    assert "vary" not in response.headers


async def test_a_file_alone_does_not_vary(app: Erlen) -> None:
    assert "vary" not in (await asked(app, "/static/sub/b.js", "gzip")).headers


async def test_neighbours_are_for_static_files_unless_asked_for(
    app: Erlen, compressed: Path
) -> None:
    accept = {"Accept-Encoding": "br"}
    assert "vary" not in (await sent_from(app, "static", "a.css", accept)).headers
    response = await sent_from(app, "static", "a.css", accept, precompressed=True)
    assert response.headers["vary"] == "Accept-Encoding"


async def test_an_owner_without_a_folder_is_told_so(app: Erlen) -> None:
    async with app.app_context():
        with pytest.raises(RuntimeError, match="static_folder="):
            await send_static(Blueprint("alone", __name__), "a.css")


async def test_sf6_a_blueprint_decides_on_its_own_files(root: Path) -> None:
    class Own(Blueprint):
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            return 9

    app = Erlen("files", root_path=str(root))
    (root / "part" / "static").mkdir(parents=True)
    (root / "part" / "static" / "p.css").write_text("p {}")
    part = Own("part", __name__, static_folder="static", root_path=str(root / "part"))
    app.register_blueprint(part, url_prefix="/part")
    response = await asked(app, "/part/static/p.css")
    assert (response.data, response.headers["cache-control"]) == (b"p {}", "public, max-age=9")


async def test_a_static_file_does_not_touch_the_session(app: Erlen) -> None:
    opened = []
    app.secret_key = "x" * 16

    @app.after_request
    async def note(response: Response) -> Response:
        opened.append(current().opened_session)
        return response

    assert "vary" not in (await asked(app, "/static/a.css")).headers
    assert opened == [None]


# --- cancellation: E-06 ---------------------------------------------------------------------------


@pytest.fixture(params=["large.bin", "a.txt"])
def opened(root: Path, request: pytest.FixtureRequest) -> OpenedFile:
    return open_file(str(root / request.param))


class Gate:
    """Finds a file when it is opened."""

    def __init__(self, opened: OpenedFile) -> None:
        self.looking, self.open = threading.Event(), threading.Event()
        self._opened = opened

    def find(self) -> Found:
        self.looking.set()
        self.open.wait(10)
        return Found(content_of(self._opened), self._opened.status, self._opened.path)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("is_found", [False, True])
async def test_e06_a_file_is_closed_that_is_found_for_a_task_that_is_gone(
    opened: OpenedFile, is_found: bool
) -> None:
    """asyncio's own cancellation does not wait for the thread."""
    gate = Gate(opened)
    search = Search(gate.find)
    task = asyncio.ensure_future(search.run())
    await to_thread.run_sync(gate.looking.wait)
    while is_found and not search._found:
        gate.open.set()  # the loop stands still meanwhile, so that the task does not know
    task.cancel()
    gate.open.set()
    await asyncio.wait([task])
    while not opened.stream.closed:
        await checkpoint()
    assert task.cancelled()


async def test_e06_an_open_file_that_is_given_is_closed_when_no_response_is_made_of_it(
    app: Erlen, root: Path
) -> None:
    file = (root / "large.bin").open("rb")
    async with app.test_request_context("/"):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await send_file(file, mimetype="text/plain")
    assert (scope.cancelled_caught, file.closed) == (True, True)


# --- versions -------------------------------------------------------------------------------------


@pytest.fixture
def hashed(app: Erlen) -> Erlen:
    """An application whose static URLs have versions."""
    app.config["STATIC_HASHED_URLS"] = True
    return app


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    static._versions.clear()
    yield
    static._versions.clear()


def version(root: Path, name: str = "a.css") -> str | None:
    return version_of(str(root / "static"), name)


def test_a_version_changes_with_the_content_alone(root: Path) -> None:
    first = version(root)
    os.utime(root / "static" / "a.css", (5, 5))
    assert version(root) == first
    (root / "static" / "a.css").write_bytes(b"b {}")
    assert version(root) not in {first, None}


def test_a_version_is_read_once_for_each_change(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = version(root)
    monkeypatch.setattr(static, "open_below", lambda *_: pytest.fail("read again"))
    assert version(root) == first


@pytest.mark.parametrize("name", ["gone", "../a.txt", ".env", "sub", "out.txt", ""])
def test_what_is_not_served_has_no_version(root: Path, name: str) -> None:
    (root / "static" / ".env").write_text("secret")
    (root / "static" / "out.txt").symlink_to("../a.txt")
    assert version(root, name) is None
    assert not static._versions


def test_a_file_that_is_gone_has_no_version_any_more(root: Path) -> None:
    assert version(root) is not None
    (root / "static" / "a.css").unlink()
    assert version(root) is None


def test_the_version_of_a_huge_file_is_made_of_its_status(root: Path) -> None:
    path = root / "static" / "huge"
    path.touch()
    os.truncate(path, 2**30)
    os.utime(path, (16, 16))
    assert version(root, "huge") == f"{16 * 10**9:x}-40000000"


def test_versions_do_not_fill_the_memory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "_MOST", 1)
    version(root)
    version(root, "sub/b.js")
    assert len(static._versions) == 1


async def test_a_url_with_the_version_is_cached_for_ever(hashed: Erlen, root: Path) -> None:
    response = await asked(hashed, f"/static/a.css?v={version(root)}")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (response.data, "expires" in response.headers) == (b"a {}", False)


@pytest.mark.parametrize("query", ["", "?v=", "?v=other", "?w=1"])
async def test_a_url_with_no_or_another_version_is_not(hashed: Erlen, query: str) -> None:
    response = await asked(hashed, f"/static/a.css{query}")
    assert response.headers["cache-control"] == "no-cache"


async def test_without_the_setting_a_version_means_nothing(app: Erlen, root: Path) -> None:
    response = await asked(app, f"/static/a.css?v={version(root)}")
    assert response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("endpoint", "values"),
    [
        ("index", {"filename": "a.css"}), ("static", {"filename": "gone"}), ("static", {}),
        ("other.static", {"filename": "a.css"}), ("bare.static", {"filename": "a.css"}),
        ("static", {"filename": "a.css", "v": "own"}),
    ],
)  # fmt: skip
def test_other_urls_get_no_version(hashed: Erlen, endpoint: str, values: dict[str, Any]) -> None:
    hashed.register_blueprint(Blueprint("bare", __name__))
    before = dict(values)
    add_version(hashed, endpoint, values)
    assert values == before


def test_urls_get_a_version_only_when_it_is_asked_for(app: Erlen, root: Path) -> None:
    values: dict[str, Any] = {"filename": "a.css"}
    add_version(app, "static", values)
    assert values == {"filename": "a.css"}
    app.config["STATIC_HASHED_URLS"] = True
    add_version(app, "static", values)
    assert values == {"filename": "a.css", "v": version(root)}


# --- the same as Werkzeug -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        {}, {"as_attachment": True}, {"download_name": "b.html"}, {"mimetype": "text/x-own"},
        {"etag": "abc"}, {"etag": False}, {"max_age": 60}, {"last_modified": 0},
        {"as_attachment": True, "download_name": "naïve file.txt"},
    ],
    ids=str,
)  # fmt: skip
async def test_the_fields_are_those_of_werkzeug(
    app: Erlen, root: Path, named: dict[str, Any]
) -> None:
    """Different on purpose: nosniff; the tag is made of nanoseconds; Date is the server's."""
    theirs = werkzeug.utils.send_file(root / "a.txt", EnvironBuilder().get_environ(), **named)
    theirs.close()
    ours = await sent(app, "a.txt", **named)
    apart = {"x-content-type-options", "date", "expires"} | (
        {"etag"} if named.get("etag", True) is True else set()
    )
    expected = {key.lower(): value for key, value in theirs.headers}
    assert {k: v for k, v in ours.headers.items() if k not in apart} == {
        key: value for key, value in expected.items() if key not in apart
    }


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_e06_what_is_found_for_nobody_is_closed(tmp_path: Path) -> None:
    file = (tmp_path / "found").open("w+b")

    def find() -> Found:
        search._is_abandoned = True  # as by a task.cancel(), which does not wait for the thread
        return Found(FileSource(file, 0))

    search = Search(find)
    await search.run()
    assert file.closed
