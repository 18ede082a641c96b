"""Uploaded files: Flask's words, awaited; in memory, on disk, closed and handed over."""

import io
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from erlen.exchange import spool, uploads
from erlen.exchange.uploads import UploadFile
from erlen.wire.headers import Headers
from tests.exchange.form_bodies import KIB, MIB, multipart, open_temporary_files, posted, sliced

TEXT = b"one\ntwo\n" + b"x" * 100


@pytest.fixture(params=[TEXT, TEXT * 4000], ids=["in-memory", "on-disk"])
async def upload(request: Any) -> AsyncIterator[UploadFile]:
    """A small file and one of 432 KB, as a form brings them."""
    before = open_temporary_files()
    posting = posted(sliced(multipart(("up", request.param, "a.txt")), 10_000))
    file = (await posting.files)["up"]
    assert open_temporary_files() - before == (len(request.param) > 256 * KIB)
    yield file
    await posting.close()
    assert open_temporary_files() == before


async def whole(file: UploadFile) -> bytes:
    await file.seek(0)
    return await file.read()


# --- what it says of itself -----------------------------------------------------------------------


async def test_ds4_it_has_the_words_of_a_file_storage() -> None:
    part = (
        b"--BoUnDaRy\r\nContent-Disposition: form-data; name=up; filename=../a.txt\r\n"
        b"Content-Type: Text/Plain; charset=utf-8\r\nX-Note: \xc3\xa9\xe2\x82\xac\r\n\r\nab\r\n"
    )
    file = (await posted(multipart(part)).files)["up"]
    assert (file.name, file.filename, file.raw_filename) == ("up", "a.txt", "../a.txt")
    assert file.content_type == "Text/Plain; charset=utf-8"
    assert (file.mimetype, file.mimetype_params) == ("text/plain", {"charset": "utf-8"})
    assert (file.content_length, file.size) == (2, 2)
    assert file.headers["x-note"] == "é€"
    assert repr(file) == "<UploadFile 'a.txt' (Text/Plain; charset=utf-8)>"


async def test_ds4_a_file_field_that_was_left_empty_is_false() -> None:
    files = await posted(multipart(("up", b"", ""), ("other", b"", "a"))).files
    assert not files["up"]
    assert files["other"]
    assert files["up"].mimetype == ""


async def test_one_can_be_made_for_a_test_of_a_view() -> None:
    file = UploadFile(io.BytesIO(b"ab"), "a.txt", "up", "text/plain", Headers({"X-A": "1"}))
    assert (file.content_type, file.headers["x-a"], file.size) == ("text/plain", "1", 2)
    assert (file.raw_filename, await file.read()) == ("a.txt", b"ab")
    assert await UploadFile().read() == b""


# --- reading --------------------------------------------------------------------------------------


async def test_ds4_it_reads_like_a_file(upload: UploadFile) -> None:
    assert await upload.read(3) == b"one"
    assert await upload.tell() == 3
    assert await upload.readline() == b"\n"
    assert await upload.readline(2) == b"tw"
    assert await upload.seek(-2, os.SEEK_END) == upload.size - 2
    assert await upload.read() == b"xx"
    assert await upload.read() == b""
    assert len(await whole(upload)) == upload.size


async def test_it_gives_its_chunks(upload: UploadFile) -> None:
    await upload.seek(4)
    chunks = [chunk async for chunk in upload]
    assert b"".join(chunks) == (await whole(upload))[4:]
    assert max(map(len, chunks)) <= uploads.CHUNK


# --- keeping --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path])
async def test_ds4_it_is_saved_whole_to_a_path(
    upload: UploadFile, tmp_path: Path, kind: Any
) -> None:
    target = tmp_path / "saved"
    await upload.read(5)
    await upload.save(kind(target), buffer_size=1000)
    assert target.read_bytes() == await whole(upload)


async def test_saving_leaves_reading_where_it_was(upload: UploadFile, tmp_path: Path) -> None:
    await upload.seek(5)
    await upload.save(io.BytesIO())
    async with await anyio.open_file(tmp_path / "saved", "wb") as target:
        await upload.save(target)
    assert await upload.tell() == 5


async def test_it_is_saved_to_open_files_that_stay_open(upload: UploadFile, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    await upload.save(buffer)
    async with await anyio.open_file(tmp_path / "saved", "wb") as target:
        await upload.save(target, buffer_size=1000)
        await target.write(b"!")
    assert (tmp_path / "saved").read_bytes() == buffer.getvalue() + b"!"
    assert buffer.getvalue() == await whole(upload)


async def test_a_place_that_cannot_be_written_is_an_error_of_the_view(
    upload: UploadFile, tmp_path: Path
) -> None:
    with pytest.raises(IsADirectoryError):
        await upload.save(tmp_path)


async def test_a_detached_file_outlives_its_request(tmp_path: Path) -> None:
    for size in (10, MIB):
        posting = posted(multipart(("up", b"x" * size, "a")))
        file = (await posting.files)["up"]
        await file.seek(0, os.SEEK_END)
        stream = file.detach()
        await posting.close()
        assert stream.read() == b"x" * size
        stream.close()
        with pytest.raises(RuntimeError, match=r"'a' was used after it was detached\. Use"):
            await file.read()


async def test_b120_a_file_that_was_kept_too_long_says_so(upload: UploadFile) -> None:
    await upload.close()
    await upload.close()
    for use in (upload.read, upload.readline, upload.tell, upload.detach):
        with pytest.raises(RuntimeError, match=r"used after it was closed.*'await file\.save"):
            await use()  # type: ignore[misc]  # detach() raises before
    with pytest.raises(RuntimeError, match="closed"):
        await upload.save("nowhere")


# --- memory and disk ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "on_disk"),
    [
        pytest.param([256 * KIB], 0, id="at-the-limit"),
        pytest.param([256 * KIB + 1], 1, id="over-it"),
        pytest.param([256 * KIB] * 16, 0, id="at-the-total"),
        pytest.param([256 * KIB] * 16 + [1], 1, id="over-the-total"),
        pytest.param([300 * KIB] * 3 + [256 * KIB] * 16, 3, id="those-on-disk-take-no-memory"),
        pytest.param([0], 0, id="empty"),
    ],
)
async def test_large_files_go_to_disk(sizes: list[int], on_disk: int) -> None:
    before = open_temporary_files()
    posting = posted(multipart(*(("up", b"x" * size, "a") for size in sizes)))
    files = (await posting.files).getlist("up")
    assert [file.size for file in files] == sizes
    assert open_temporary_files() - before == on_disk
    await posting.close()
    assert open_temporary_files() == before


async def test_the_thresholds_are_those_of_the_configuration() -> None:
    config: dict[str, Any] = {"UPLOAD_SPOOL_SIZE": 1, "UPLOAD_SPOOL_TOTAL": 2}
    before = open_temporary_files()
    posting = posted(multipart(*[("up", b"x", "a")] * 3, ("up", b"xx", "a")), **config)
    assert len((await posting.files).getlist("up")) == 4
    assert open_temporary_files() - before == 2
    await posting.close()


async def test_what_is_on_disk_is_for_its_owner_only_and_has_no_name() -> None:
    posting = posted(multipart(("up", b"x" * MIB, "a")))
    file = (await posting.files)["up"].detach()
    with file:
        status = os.fstat(file.fileno())
    assert (stat.S_IMODE(status.st_mode), status.st_nlink) == (0o600, 0)


async def test_large_files_are_written_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    append = spool.Spool._append

    def noting(self: spool.Spool, last: bool) -> None:
        batches.append(self._waiting.size)
        append(self, last)

    monkeypatch.setattr(spool.Spool, "_append", noting)
    posting = posted(sliced(multipart(("up", b"x" * (5 * MIB), "a")), 64 * KIB))
    await posting.files
    await posting.close()
    assert (len(batches), sum(batches)) == (5, 5 * MIB)


async def test_a_batch_that_comes_after_the_end_is_not_written() -> None:
    late = spool.Spool(spool.Room(0, 0))
    assert late.add(b"x" * spool.BATCH)
    await late.discard()
    late._append(True)
    assert late._file is None
