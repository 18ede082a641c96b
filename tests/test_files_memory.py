"""Static files that were sent a moment ago: what is remembered of them, and for how long."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from erlen import Erlen
from erlen.exchange.response import Response
from erlen.files import memory, static, version_of
from erlen.files.finding import Found
from erlen.files.memory import Known, Memory

LARGE = bytes(range(256)) * 1024


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(memory, "monotonic", clock)
    monkeypatch.setattr(static, "monotonic", clock)
    monkeypatch.setattr(static, "_memory", Memory())
    return clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "a.css").write_bytes(b"a {}")
    (folder / "large.bin").write_bytes(LARGE)
    return folder


@pytest.fixture
def app(folder: Path) -> Erlen:
    return Erlen("site", root_path=str(folder.parent))


async def got(app: Erlen, name: str = "a.css", method: str = "GET", **headers: str) -> Any:
    """Return the response for a static file; underscores in names of headers are hyphens."""
    fields = {key.replace("_", "-"): value for key, value in headers.items()}
    return await app.test_client().request(method, f"/static/{name}", headers=fields)


@pytest.fixture
def without_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on nothing may be looked for on the disk."""
    return lambda: monkeypatch.setattr("erlen.files.finding.in_thread", pytest.fail)


# --- what needs no disk ---------------------------------------------------------------------------


async def test_a_file_that_was_sent_just_now_needs_no_disk(
    app: Erlen, without_disk: Callable[[], None]
) -> None:
    first = await got(app)
    without_disk()
    again = await got(app)
    assert (again.status_code, again.data, again.headers) == (200, b"a {}", first.headers)


@pytest.mark.parametrize(
    ("method", "headers", "status", "data"),
    [
        ("GET", {"If_None_Match": "ETAG"}, 304, b""),
        ("GET", {"If_None_Match": '"x", ETAG'}, 304, b""),
        ("GET", {"If_None_Match": '"x"'}, 200, b"a {}"),
        ("GET", {"If_Match": '"x"'}, 412, b""),
        ("GET", {"Range": "bytes=1-2"}, 206, b" {"),
        ("GET", {"Range": "bytes=1-2", "If_Range": '"x"'}, 200, b"a {}"),
        ("GET", {"Range": "bytes=9-"}, 416, None),
        ("HEAD", {}, 200, b""),
    ],
)
async def test_conditions_and_ranges_are_as_from_the_disk(
    app: Erlen, without_disk: Callable[[], None], method: str, headers: Any, status: int, data: Any
) -> None:
    etag = (await got(app)).headers["etag"]
    headers = {name: text.replace("ETAG", etag) for name, text in headers.items()}
    app.testing = True  # then nothing is remembered
    looked = await got(app, method=method, **headers)
    app.testing = False
    without_disk()
    response = await got(app, method=method, **headers)
    assert (response.status_code, response.headers) == (looked.status_code, looked.headers)
    assert response.status_code == status
    assert data is None or response.data == data


async def test_a_304_for_a_large_file_needs_no_disk(
    app: Erlen, without_disk: Callable[[], None]
) -> None:
    etag = (await got(app, "large.bin")).headers["etag"]
    without_disk()
    response = await got(app, "large.bin", If_None_Match=etag)
    assert (response.status_code, response.headers["etag"]) == (304, etag)


async def test_a_large_file_is_opened_each_time(app: Erlen, folder: Path) -> None:
    """And its headers are those of what was opened, not of what is remembered."""
    first = await got(app, "large.bin")
    (folder / "large.bin").write_bytes(LARGE + b"more")
    again = await got(app, "large.bin")
    assert (first.data, again.data) == (LARGE, LARGE + b"more")
    assert first.headers["etag"] != again.headers["etag"]
    assert (await got(app, "large.bin", "HEAD")).headers["content-length"] == str(len(again.data))


# --- for how long ---------------------------------------------------------------------------------


async def test_a_change_is_seen_after_a_tenth_of_a_second(
    app: Erlen, folder: Path, clock: Clock
) -> None:
    first = await got(app)
    (folder / "a.css").write_bytes(b"b {} c {}")
    clock.now += 0.09
    early = await got(app)
    assert (early.data, early.headers) == (b"a {}", first.headers)
    clock.now += 0.01
    late = await got(app)
    assert (late.data, late.headers["content-length"]) == (b"b {} c {}", "9")
    assert late.headers["etag"] != first.headers["etag"]


async def test_a_file_that_is_gone_is_404_after_a_tenth_of_a_second(
    app: Erlen, folder: Path, clock: Clock
) -> None:
    await got(app)
    (folder / "a.css").unlink()
    clock.now += 0.1
    assert (await got(app)).status_code == 404


async def test_a_missing_file_is_found_at_once_when_it_comes(app: Erlen, folder: Path) -> None:
    assert (await got(app, "b.css")).status_code == 404
    (folder / "b.css").write_bytes(b"b")
    assert (await got(app, "b.css")).status_code == 200


@pytest.mark.parametrize("key", ["DEBUG", "TESTING"])
async def test_in_debug_mode_and_in_tests_a_change_is_seen_at_once(
    app: Erlen, folder: Path, key: str
) -> None:
    app.config[key] = True
    await got(app)
    (folder / "a.css").write_bytes(b"changed")
    assert (await got(app)).data == b"changed"
    assert static._memory.size == 0


async def test_b206_a_file_that_became_a_link_out_is_404_after_a_tenth_of_a_second(
    app: Erlen, folder: Path, clock: Clock
) -> None:
    await got(app)
    (folder / "a.css").unlink()
    (folder / "a.css").symlink_to("/etc/passwd")
    clock.now += 0.1
    assert (await got(app)).status_code == 404


async def test_x_sendfile_is_of_the_moment(app: Erlen, folder: Path) -> None:
    app.config["USE_X_SENDFILE"] = True
    assert (await got(app)).headers["x-sendfile"] == str(folder / "a.css")
    (folder / "a.css").unlink()
    assert (await got(app)).status_code == 404


# --- what is kept apart ---------------------------------------------------------------------------


async def test_what_a_hook_changes_is_the_response_alone(app: Erlen) -> None:
    @app.after_request
    def mark(response: Response) -> Response:
        response.headers.add("X-Count", str(len(response.headers.getlist("X-Count"))))
        return response

    answers = [await got(app) for _ in range(3)]
    assert [answer.headers["x-count"] for answer in answers] == ["0", "0", "0"]


async def test_a_response_class_of_ones_own_has_the_headers(folder: Path) -> None:
    class Own(Response):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            self.headers["X-Own"] = "yes"

    app = Erlen("own", root_path=str(folder.parent))
    app.response_class = Own
    first, again = await got(app), await got(app)
    assert (again.headers, again.data) == (first.headers, b"a {}")
    assert again.headers["x-own"] == "yes"


async def test_the_codings_of_clients_are_kept_apart(
    app: Erlen, folder: Path, without_disk: Callable[[], None]
) -> None:
    (folder / "a.css.gz").write_bytes(gzip.compress(b"smaller"))
    os.utime(folder / "a.css", (5, 5))
    for accepted in ("gzip", "identity"):
        await got(app, Accept_Encoding=accepted)
    without_disk()
    plain = await got(app, Accept_Encoding="gzip;q=0")
    assert (plain.data, plain.headers["vary"]) == (b"a {}", "Accept-Encoding")
    smaller = await got(app, Accept_Encoding="gzip, x")
    assert (smaller.data, smaller.headers["content-encoding"]) == (b"smaller", "gzip")
    assert "accept-ranges" not in smaller.headers


async def test_the_age_is_asked_for_each_time(folder: Path) -> None:
    class Own(Erlen):
        ages = iter([None, 1, 2, 3, 4, 5])

        def get_send_file_max_age(self, filename: str | None) -> int | None:
            return next(self.ages)

    app = Own("own", root_path=str(folder.parent))
    controls = [(await got(app)).headers["cache-control"] for _ in range(6)]
    assert controls == ["no-cache", *(f"public, max-age={age}" for age in range(1, 6))]


async def test_an_age_that_is_none_leaves_no_file_open(folder: Path) -> None:
    class Own(Erlen):
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            return -1

    app = Own("own", root_path=str(folder.parent))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names, not paths
    assert (await got(app, "large.bin")).status_code == 500
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  # as above


# --- versions -------------------------------------------------------------------------------------


@pytest.fixture
def hashed(app: Erlen) -> Erlen:
    app.config["STATIC_HASHED_URLS"] = True
    return app


async def test_a_version_is_known_without_the_disk(
    hashed: Erlen, folder: Path, without_disk: Callable[[], None]
) -> None:
    version = version_of(str(folder), "a.css")
    first = await got(hashed, f"a.css?v={version}")
    without_disk()
    again = await got(hashed, f"a.css?v={version}")
    assert again.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert again.headers == first.headers
    assert (await got(hashed)).headers["cache-control"] == "no-cache"


async def test_a_new_version_is_looked_for_at_once(hashed: Erlen, folder: Path) -> None:
    """What a page names is on the disk, and never old content for a year."""
    old = version_of(str(folder), "a.css")
    await got(hashed, f"a.css?v={old}")
    (folder / "a.css").write_bytes(b"new {}")
    new = version_of(str(folder), "a.css")
    response = await got(hashed, f"a.css?v={new}")
    assert (response.data, "immutable" in response.headers["cache-control"]) == (b"new {}", True)
    response = await got(hashed, f"a.css?v={old}")
    assert (response.data, response.headers["cache-control"]) == (b"new {}", "no-cache")


# --- how much -------------------------------------------------------------------------------------


def known(size: int, until: float) -> Known:
    return Known(Found(bytes(size)), [("Content-Type", "text/plain")], until)


def test_it_holds_no_more_than_its_room(clock: Clock) -> None:
    small = Memory(100_000)
    for name in "abcdef":
        small.put(("", name, None), known(20_000, clock.now + 1))
    held = [name for name in "abcdef" if small.get(("", name, None)) is not None]
    assert held == ["c", "d", "e", "f"]
    assert small.size == 4 * (20_000 + 4096)


def test_what_has_become_too_old_goes_with_the_next(clock: Clock) -> None:
    memory = Memory()
    for name in "ab":
        memory.put(("", name, None), known(1000, clock.now + 1))
    clock.now += 1
    assert memory.get(("", "a", None)) is None
    memory.put(("", "c", None), known(1000, clock.now + 1))
    assert memory.size == 1000 + 4096


def test_what_is_too_old_when_it_comes_is_not_kept(clock: Clock) -> None:
    memory = Memory()
    memory.put(("", "a", None), known(1000, clock.now))
    assert memory.size == 0


def test_what_is_larger_than_the_room_is_not_kept(clock: Clock) -> None:
    memory = Memory(1000)
    memory.put(("", "a", None), known(1000, clock.now + 1))
    assert memory.size == 0


def test_a_second_look_takes_the_place_of_the_first(clock: Clock) -> None:
    memory = Memory()
    for size in (1000, 2000):
        memory.put(("", "a", None), known(size, clock.now + 1))
    assert memory.size == 2000 + 4096
