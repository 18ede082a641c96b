"""Uploaded files of ``def`` views: Flask's words, blocking."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from erlen import Erlen
from erlen.exchange.uploads import UploadFile
from erlen.sync import request
from erlen.sync.uploads import BlockingFiles, BlockingUploadFile
from erlen.wire.multidict import ImmutableMultiDict


@pytest.fixture
def file() -> BlockingUploadFile:
    stream = io.BytesIO(b"one\ntwo\n")
    return BlockingUploadFile(UploadFile(stream, "a.txt", "field", "text/plain; charset=utf-8"))


async def save(view: Any, content: bytes) -> str:
    """Let a ``def`` view work with an upload of these bytes; return its answer."""
    app = Erlen("shop")
    app.post("/", endpoint="view")(view)
    response = await app.test_client().post("/", files={"file": ("a.bin", content)})
    text: str = response.text
    return text


def test_it_tells_what_the_client_told(file: BlockingUploadFile) -> None:
    assert (file.filename, file.raw_filename, file.name) == ("a.txt", "a.txt", "field")
    assert (file.content_type, file.mimetype) == ("text/plain; charset=utf-8", "text/plain")
    assert (file.mimetype_params, file.size, file.content_length) == ({"charset": "utf-8"}, 8, 8)
    assert repr(file) == "<UploadFile 'a.txt' (text/plain; charset=utf-8)>"


def test_reading_and_seeking_are_those_of_the_file(file: BlockingUploadFile) -> None:
    assert (file.read(2), file.tell(), file.readline()) == (b"on", 2, b"e\n")
    assert list(file) == [b"two\n"]
    assert (file.seek(-4, io.SEEK_END), file.read(), file.readline()) == (4, b"two\n", b"")


def test_stream_is_the_file_itself(file: BlockingUploadFile) -> None:
    file.read(4)
    assert file.stream.read() == b"two\n"
    assert file.stream is file.stream


@pytest.mark.parametrize(("filename", "expected"), [("a.txt", True), ("", False)])
def test_field_that_was_left_empty_is_false(filename: str, expected: bool) -> None:
    assert bool(BlockingUploadFile(UploadFile(None, filename))) is expected


def test_ds4_it_is_a_file_for_who_wants_to_read_one(file: BlockingUploadFile) -> None:
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
    assert file.readlines() == [b"one\n", b"two\n"]
    file.seek(0)
    with io.TextIOWrapper(file) as text:  # type: ignore[type-var]  # reads, as any file does
        assert text.read() == "one\ntwo\n"
    assert file.closed


def test_detached_file_is_the_callers(file: BlockingUploadFile) -> None:
    file.read(4)
    with file.detach() as stream:
        assert stream.read() == b"one\ntwo\n"
    with pytest.raises(RuntimeError, match="detached"):
        file.read()


def test_missing_file_is_a_key_error_as_ever() -> None:
    files = BlockingFiles(ImmutableMultiDict([("a", UploadFile(None, "a.txt"))]))
    assert (files["a"].filename, files.get("b"), len(files.getlist("a"))) == ("a.txt", None, 1)
    with pytest.raises(KeyError, match="b"):
        _ = files["b"]


@pytest.mark.parametrize("size", [10, 1_000_000], ids=["in memory", "on disk"])
async def test_save_to_a_path_or_an_open_file(tmp_path: Path, size: int) -> None:
    def view() -> list[int]:
        request.files["file"].save(tmp_path / "path")
        request.files["file"].save(str(tmp_path / "text"), buffer_size=1000)
        with (tmp_path / "open").open("wb") as destination:
            request.files["file"].save(destination)
        return [(tmp_path / name).stat().st_size for name in ("path", "text", "open")]

    assert await save(view, b"x" * size) == f"[{size},{size},{size}]"


@pytest.mark.parametrize("size", [10, 1_000_000], ids=["in memory", "on disk"])
async def test_library_reads_the_stream(size: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "x" * size)

    def view() -> str:
        with zipfile.ZipFile(request.files["file"].stream) as archive:
            return str(len(archive.read("a.txt")))

    assert await save(view, packed.getvalue()) == str(size)


@pytest.mark.parametrize("size", [5, 300_000])
async def test_closed_file_says_so(size: int) -> None:
    def view() -> str:
        file = request.files["file"]
        file.close()
        file.close()
        try:
            return file.read().decode()
        except RuntimeError as error:
            return str(error)

    assert "was used after it was closed" in await save(view, b"a" * size)
