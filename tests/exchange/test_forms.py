"""Forms: text fields and files read once, within limits, and parts read as they arrive."""

import errno
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.exceptions import (
    BadRequest,
    BadRequestKeyError,
    ClientDisconnected,
    RequestEntityTooLarge,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from erlen.exchange.request import Request
from tests.exchange.form_bodies import (
    BOUNDARY,
    KIB,
    MIB,
    MULTIPART,
    URLENCODED,
    field,
    multipart,
    open_temporary_files,
    posted,
    sliced,
)
from tests.exchange.wire import LEFT
from tests.exchange.wire import part as message

MIXED = multipart(
    ("a", b"1"), ("up", b"one", "1.txt"), ("a", "é".encode()), ("up", b"two", "2.txt"), ("b", b"")
)


# --- what comes out -------------------------------------------------------------------------------


async def test_bd2_fields_keep_their_order_and_their_empty_values() -> None:
    form = await posted(b"a=1&b=&a=%C3%A9+x&=&c", URLENCODED).form
    assert list(form.items(multi=True)) == [
        ("a", "1"), ("a", "é x"), ("b", ""), ("", ""), ("c", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_b118_text_and_files_are_apart_each_in_its_order(size: int) -> None:
    request = posted(sliced(MIXED, size))
    assert list((await request.form).items(multi=True)) == [("a", "1"), ("a", "é"), ("b", "")]
    uploads = (await request.files).getlist("up")
    assert [await upload.read() for upload in uploads] == [b"one", b"two"]


async def test_rq10_the_second_await_gives_the_same_objects() -> None:
    request = posted(MIXED)
    for name in ("form", "files", "values"):
        assert await getattr(request, name) is await getattr(request, name)


async def test_b120_files_in_memory_are_closed_without_waiting() -> None:
    request = posted(multipart(("up", b"x", "a")))
    upload = (await request.files)["up"]
    assert (request.must_close, upload.closed) == (False, False)
    request.let_go()
    assert upload.closed


async def test_b120_files_on_disk_are_waited_for() -> None:
    request = posted(multipart(("up", b"x" * 300 * KIB, "a")), UPLOAD_SPOOL_SIZE=1000)
    upload = (await request.files)["up"]
    request.let_go()
    assert (request.must_close, upload.closed) == (True, False)
    await request.close()
    assert upload.closed


async def test_a_form_cannot_be_changed() -> None:
    request = posted(MIXED)
    for found in (await request.form, await request.files, await request.values):
        with pytest.raises(TypeError, match="read-only"):
            found.add("a", "1")


async def test_two_tasks_may_await_it_at_the_same_time() -> None:
    request = posted(sliced(MIXED, 10))
    found: list[Any] = []

    async def read(name: str) -> None:
        found.append(await getattr(request, name))

    async with anyio.create_task_group() as tasks:
        for name in ("form", "files", "form"):
            tasks.start_soon(read, name)
    assert sorted(len(each) for each in found) == [1, 2, 2]


@pytest.mark.parametrize(
    "kind", [URLENCODED.upper(), f"{URLENCODED}; charset=utf-7", "application/x-url-encoded"]
)
async def test_b098_bd1_urlencoded_is_utf8_whatever_it_says(kind: str) -> None:
    assert (await posted(b"a=%C3%A9&_charset_=latin-1", kind).form)["a"] == "é"


@pytest.mark.parametrize("kind", [None, "text/plain", "application/json"])
async def test_bd1_another_body_has_no_form_and_is_left_readable(kind: str | None) -> None:
    request = posted(b"a=1", kind)
    assert (dict(await request.form), dict(await request.files)) == ({}, {})
    assert await request.get_data() == b"a=1"


@pytest.mark.parametrize(
    ("method", "values"), [("GET", {"a": ["q"]}), ("POST", {"a": ["q", "1", "é"], "b": [""]})]
)
async def test_bd5_values_are_the_query_and_then_the_form(method: str, values: Any) -> None:
    request = posted(MIXED, method=method, query=b"a=q")
    assert (await request.values).to_dict(flat=False) == values
    assert (await request.form).getlist("a") == ["1", "é"]


async def test_bd8_a_missing_field_is_400_and_a_key_error() -> None:
    request = posted(b"a=1", URLENCODED)
    for found in (await request.form, await request.files, await request.values):
        with pytest.raises(BadRequestKeyError):
            found["missing"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"up=pic.png", URLENCODED), (multipart(("up", b"pic.png")), MULTIPART)],
    ids=["urlencoded", "text-part"],
)
@pytest.mark.parametrize("debug", [True, False])
async def test_bd9_a_file_that_came_as_text_is_explained_in_debug_mode(
    body: bytes, kind: str, debug: bool
) -> None:
    files = await posted(body, kind, DEBUG=debug).files
    with pytest.raises(BadRequestKeyError) as caught:
        files["up"]
    explained = ('came as the text \'pic.png\', not as a file. Give the form element '
                 'enctype="multipart/form-data"')  # fmt: skip
    assert (explained in str(caught.value.description)) is debug
    assert [explained in note for note in getattr(caught.value, "__notes__", [])] == [True] * debug


async def test_bd9_a_file_that_did_not_come_at_all_is_a_plain_missing_key() -> None:
    files = await posted(MIXED, DEBUG=True).files
    assert files["up"].filename == "1.txt"
    with pytest.raises(BadRequestKeyError) as caught:
        files["missing"]
    assert not hasattr(caught.value, "__notes__")


# --- with the other ways of reading ---------------------------------------------------------------


@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
async def test_a_form_is_read_from_kept_bytes(kind: str) -> None:
    body = b"a=1" if kind == URLENCODED else multipart(("a", b"1"))
    request = posted(sliced(body, 10), kind)
    assert await request.get_data() == body
    assert (await request.form)["a"] == "1"
    assert await request.get_data() == await request.data == body


@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
async def test_a_form_keeps_no_bytes(kind: str) -> None:
    request = posted(b"a=1" if kind == URLENCODED else MIXED, kind)
    await request.form
    with pytest.raises(RuntimeError, match=r"as a form.*Call 'await request\.get_data\(\)' before"):
        await request.get_data()


async def test_rq10_data_is_empty_when_the_body_is_a_form() -> None:
    request = posted(b"a=1", URLENCODED)
    assert await request.data == b""
    assert await request.get_data(parse_form_data=True, as_text=True) == ""
    assert (await request.form)["a"] == "1"


USES: dict[str, Callable[[Request], Awaitable[Any]]] = {
    "form": lambda request: request.form,
    "json": lambda request: request.get_json(silent=True),
    "data": lambda request: request.data,
    "bytes": lambda request: request.get_data(),
}


@pytest.mark.parametrize("first", USES)
@pytest.mark.parametrize("second", USES)
async def test_pain41_no_order_of_reading_hangs(first: str, second: str) -> None:
    request = posted(b"a=1", URLENCODED)
    with anyio.fail_after(1):
        await USES[first](request)
        try:
            await USES[second](request)
        except RuntimeError:
            assert (first in {"form", "data"}, second) == (True, "bytes")


async def test_a_body_read_in_chunks_has_no_form_left() -> None:
    request = posted(MIXED)
    async for _ in request.body:
        pass
    for _ in range(2):
        with pytest.raises(RuntimeError, match="already read in chunks"):
            await request.form


# --- limits ---------------------------------------------------------------------------------------

TEXT_LIMIT: dict[str, Any] = {"MAX_FORM_MEMORY_SIZE": 4}
OVER: dict[str, tuple[bytes, str, dict[str, Any]]] = {
    "urlencoded-size": (b"a=123", URLENCODED, TEXT_LIMIT),
    "urlencoded-fields": (b"a&b&c", URLENCODED, {"MAX_FORM_PARTS": 2}),
    "text": (multipart(("a", b"123"), ("b", b"45")), MULTIPART, TEXT_LIMIT),
    "parts": (multipart(*[("a", b"")] * 3), MULTIPART, {"MAX_FORM_PARTS": 2}),
    "files": (multipart(*[("a", b"", "a")] * 3), MULTIPART, {"MAX_FORM_FILES": 2}),
    "body": (MIXED, MULTIPART, {"MAX_CONTENT_LENGTH": len(MIXED) - 1}),
}


@pytest.mark.parametrize(("body", "kind", "config"), OVER.values(), ids=OVER)
async def test_bd3_over_a_limit_is_413_each_time(body: bytes, kind: str, config: Any) -> None:
    request = posted(sliced(body, 5), kind, **config)
    for _ in range(2):
        with pytest.raises(RequestEntityTooLarge):
            await request.form


@pytest.mark.parametrize(("body", "kind", "config"), OVER.values(), ids=OVER)
async def test_rq9_each_limit_can_be_changed_for_one_request(
    body: bytes, kind: str, config: Any
) -> None:
    request = posted(body, kind, **config)
    for name in config:
        attribute = name.lower()
        setattr(request, attribute, getattr(request, attribute) + len(body))
    await request.form
    await request.close()


@pytest.mark.parametrize("debug", [True, False])
async def test_pain42_the_description_says_which_limit(debug: bool) -> None:
    body, kind, config = OVER["parts"]
    with pytest.raises(RequestEntityTooLarge, match="The form has more parts") as caught:
        await posted(body, kind, DEBUG=debug, **config).form
    assert ("MAX_FORM_PARTS" in str(caught.value)) is debug


async def test_nothing_is_parsed_that_is_declared_too_large() -> None:
    request = posted(MIXED, headers=[(b"content-length", b"9")], MAX_CONTENT_LENGTH=8)
    with pytest.raises(RequestEntityTooLarge):
        await request.form


@pytest.mark.parametrize("debug", [True, False])
async def test_only_debug_mode_tells_what_is_malformed(debug: bool) -> None:
    with pytest.raises(BadRequest, match=r"The form data is malformed\.") as caught:
        await posted(MIXED[:-5], DEBUG=debug).form
    assert ("final boundary" in str(caught.value)) is debug


async def test_b112_text_that_is_not_utf8_is_400() -> None:
    with pytest.raises(BadRequest):
        await posted(multipart(("a", b"\xff"))).form


async def test_b102_a_missing_boundary_is_400() -> None:
    request = posted(MIXED, "multipart/form-data")
    with pytest.raises(BadRequest):
        await request.form
    with pytest.raises(BadRequest):
        request.multipart()


# --- part by part ---------------------------------------------------------------------------------


async def test_parts_come_as_they_arrive() -> None:
    seen = []
    async for part in posted(sliced(MIXED, 3)).multipart():
        content = await part.text() if part.filename is None else await part.read()
        seen.append((part.name, part.filename, content))
    assert seen == [
        ("a", None, "1"), ("up", "1.txt", b"one"), ("a", None, "é"), ("up", "2.txt", b"two"),
        ("b", None, ""),
    ]  # fmt: skip


async def test_ds4_a_part_has_the_facts_of_an_upload() -> None:
    body = multipart(field("up", b"", "../a", "Content-Type: Text/Plain; charset=x"))
    part = await anext(aiter(posted(body).multipart()))
    assert (part.filename, part.raw_filename) == ("a", "../a")
    assert (part.content_type, part.mimetype) == ("Text/Plain; charset=x", "text/plain")
    assert part.mimetype_params == {"charset": "x"}
    assert "form-data" in part.headers["content-disposition"]
    assert repr(part) == "<Part 'up' (file 'a')>"


async def test_what_is_not_read_of_a_part_is_skipped() -> None:
    body = multipart(("up", b"x" * MIB, "a"), ("b", b"2"), ("c", b"3"))
    names = []
    async for part in posted(sliced(body, 1000)).multipart():
        names.append(repr(part))
        if part.filename:
            assert await anext(aiter(part))
    assert names == ["<Part 'up' (file 'a')>", "<Part 'b'>", "<Part 'c'>"]


async def test_a_part_that_is_over_cannot_be_read() -> None:
    parts = aiter(posted(MIXED).multipart())
    first = await anext(parts)
    assert (await first.read(), await first.read()) == (b"1", b"")
    await anext(parts)
    assert await first.read() == b""
    await anext(parts)
    second = await anext(parts)
    await anext(parts)
    with pytest.raises(RuntimeError, match=r"'up' was read after.*Read each part before"):
        await second.read()


async def test_no_part_is_kept_and_the_body_is_consumed() -> None:
    before = open_temporary_files()
    request = posted(sliced(multipart(("up", b"x" * MIB, "a")), 10_000))
    async for part in request.multipart():
        assert sum([len(chunk) async for chunk in part]) == MIB
        assert open_temporary_files() == before
    assert not request.must_close
    with pytest.raises(RuntimeError, match="already read"):
        await request.form


async def test_b112_the_text_of_a_part_that_is_not_utf8_is_400() -> None:
    part = await anext(aiter(posted(multipart(("a", b"\xff"))).multipart()))
    with pytest.raises(BadRequest):
        await part.text()


async def test_b110_what_follows_the_last_part_is_read_and_not_looked_at() -> None:
    request = posted([MIXED, b"--nonsense\r\n" * 9, b"x"])
    assert len([part async for part in request.multipart()]) == 5


async def test_parts_may_be_read_from_kept_bytes() -> None:
    request = posted(MIXED)
    await request.get_data()
    assert len([part async for part in request.multipart()]) == 5


@pytest.mark.parametrize("limit", [None, 3])
async def test_a_part_is_not_read_into_memory_beyond_its_limit(limit: int | None) -> None:
    parts = aiter(posted(multipart(("a", b"12345"), ("b", b"x")), **TEXT_LIMIT).multipart())
    with pytest.raises(RequestEntityTooLarge, match=r"over [34] bytes"):
        await (await anext(parts)).read(max_size=limit)
    assert await (await anext(parts)).read() == b"x"


async def test_an_explicit_limit_may_be_higher() -> None:
    async for part in posted(multipart(("a", b"12345")), **TEXT_LIMIT).multipart():
        assert await part.text(max_size=5) == "12345"
    request = posted(multipart(("a", b"12345")), **TEXT_LIMIT)
    request.max_form_memory_size = None
    assert [await part.read() async for part in request.multipart()] == [b"12345"]


@pytest.mark.parametrize(("body", "kind", "config"), [OVER["parts"], OVER["files"], OVER["body"]])
async def test_limits_hold_part_by_part(body: bytes, kind: str, config: Any) -> None:
    parts = posted(body, kind, **config).multipart()
    with pytest.raises(RequestEntityTooLarge):
        async for _ in parts:
            pass
    with anyio.fail_after(1), pytest.raises(RequestEntityTooLarge):
        await anext(parts)


async def test_b103_a_broken_body_never_looks_complete() -> None:
    parts = posted(MIXED[:-5]).multipart()
    for _ in range(2):
        with pytest.raises(BadRequest):
            async for _part in parts:
                pass


@pytest.mark.parametrize("kind", [None, URLENCODED, "multipart/mixed; boundary=a"])
async def test_parts_of_another_body_are_415(kind: str | None) -> None:
    with pytest.raises(UnsupportedMediaType, match="multipart/form-data is expected"):
        posted(MIXED, kind).multipart()


# --- nothing is left ------------------------------------------------------------------------------

LARGE = multipart(("one", b"x" * MIB, "a"), ("two", b"y" * (3 * MIB), "b"))
BROKEN: dict[str, tuple[Any, type[Exception]]] = {
    "small": (multipart(("a", b"x" * 100, "a"))[:-60], BadRequest),
    "disconnect": ([message(LARGE[: 3 * MIB], more=True), LEFT], ClientDisconnected),
    "cut-off": (LARGE[:-5], BadRequest),
    "malformed": (LARGE[: -len(BOUNDARY) - 6] + b"junk" * 10_000, BadRequest),
}


@pytest.mark.parametrize(("body", "error"), BROKEN.values(), ids=BROKEN)
async def test_b120_what_fails_leaves_no_file(body: Any, error: type[Exception]) -> None:
    before = open_temporary_files()
    request = posted(body)
    with pytest.raises(error):
        await request.form
    assert open_temporary_files() == before
    assert not request.must_close


async def test_b120_a_cancelled_upload_leaves_no_file() -> None:
    before = open_temporary_files()
    request = posted([message(LARGE[: 3 * MIB], more=True)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(request._get_form)
        while open_temporary_files() < before + 2:
            await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert open_temporary_files() == before


async def cancelled_twice(function: Callable[[], Awaitable[Any]], times: int = 2) -> None:
    """Call *function* until it waits, then end it in asyncio's own way, which no shield stops."""
    import asyncio  # noqa: TID251  # as it says

    task = asyncio.ensure_future(function())
    await anyio.wait_all_tasks_blocked()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_b120_an_upload_that_is_cancelled_again_and_again_leaves_no_file() -> None:
    before = open_temporary_files()
    request = posted([message(LARGE[: 3 * MIB], more=True)])
    await cancelled_twice(request._get_form, 3)
    assert open_temporary_files() == before


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_b120_closing_files_is_not_ended_by_a_cancellation() -> None:
    import asyncio  # noqa: TID251  # as above

    before = open_temporary_files()
    request = posted(LARGE)
    await request.files
    closing = asyncio.ensure_future(request.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert open_temporary_files() == before


async def test_b120_close_closes_every_file_of_a_name() -> None:
    before = open_temporary_files()
    request = posted(multipart(*[("up", b"x" * MIB, "a")] * 3))
    uploads = (await request.files).getlist("up")
    assert (request.must_close, open_temporary_files()) == (True, before + 3)
    with anyio.CancelScope() as cancelled:
        cancelled.cancel()
        await request.close()
    assert open_temporary_files() == before
    with pytest.raises(RuntimeError, match="end of its request"):
        await uploads[2].read()


class FullDisk:
    """A temporary file that takes no more than the first megabyte."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MIB)  # noqa: SIM115  # closed below
        self.closed = 0

    def write(self, data: bytes) -> None:
        if self._file.tell():
            raise OSError(errno.ENOSPC, "No space left on device")
        self._file.write(data)

    def close(self) -> None:
        self._file.close()
        self.closed += 1
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_b119_a_full_disk_is_503_with_one_record(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FullDisk()
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: disk)
    request = posted(sliced(LARGE, 64 * KIB))
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            await request.files
    assert (disk.closed, request.must_close) == (1, False)
    assert [(each.levelno, each.exc_info) for each in caplog.records] == [(logging.ERROR, None)]
    assert "No space left on device. Make room there" in caplog.text


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES, errno.ENOENT])
async def test_b119_a_file_that_cannot_be_made_is_503(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    def fail() -> Any:
        raise OSError(code, "cannot")

    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    with pytest.raises(ServiceUnavailable):
        await posted(LARGE).files
    assert len(caplog.records) == 1


# --- the loop -------------------------------------------------------------------------------------


async def longest_stall(work: Callable[[], Awaitable[Any]]) -> float:
    """Return the longest time in seconds that the loop's thread worked without a turn for others.

    It is the thread's own time, which does not depend on what else the machine does.
    """
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()
            await checkpoint()
            longest = max(longest, time.thread_time() - before)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await work()
        tasks.cancel_scope.cancel()
    return longest


HEAVY: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "percents": (b"%" * MIB, URLENCODED, {}),
    "escapes": (b"%41" * (MIB // 3), URLENCODED, {}),
    "fields": (b"a=%41&" * (MIB // 8), URLENCODED, {"MAX_FORM_PARTS": None}),
    "tiny-parts": (multipart(*[("a", b"")] * 20_000), MULTIPART, {"MAX_FORM_PARTS": None}),
    "crlf": (multipart(("a", b"\r\n" * (4 * MIB), "a")), MULTIPART, {}),
    "near-boundaries": (multipart(("a", b"\r\n--BoUnDaR" * MIB, "a")), MULTIPART, {}),
    "one-message": (multipart(("a", b"x" * (15 * MIB), "a")), MULTIPART, {}),
}


@pytest.mark.parametrize(("body", "kind", "config"), HEAVY.values(), ids=HEAVY)
async def test_r9_the_loop_is_never_held(body: bytes, kind: str, config: Any) -> None:
    stalls = []
    for _ in range(3):
        request = posted(body, kind, **config)

        async def read(request: Request = request) -> None:
            await request.form

        stalls.append(await longest_stall(read))
        await request.close()
    assert min(stalls) < (0.02 if sys.gettrace() is None else 0.1)


async def test_small_forms_need_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr("anyio.to_thread.run_sync", refuse)
    request = posted(multipart(("a", b"x" * 100_000), ("up", b"x" * 100_000, "a")))
    assert await (await request.files)["up"].read()
    await request.close()
    assert await posted(b"a=" + b"x" * 10_000, URLENCODED).form
