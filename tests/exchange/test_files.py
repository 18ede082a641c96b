"""Files on disk: what can be opened below a folder, and how their bytes come."""

import errno
import os
import threading
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from erlen.exchange import files
from erlen.exchange.files import (
    CHUNK,
    SMALL,
    FileSource,
    FileStream,
    content_of,
    open_below,
    open_file,
    source_of,
)


@pytest.fixture(params=["descriptors", "paths"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files and links, opened in both ways that platforms have."""
    monkeypatch.setattr(files, "_HAS_DIR_FD", request.param == "descriptors")
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a")
    (root / "sub" / "b.txt").write_bytes(b"b")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_bytes(b"secret")
    return root


def read(*arguments: Any) -> bytes:
    with open_below(*arguments).stream as stream:
        return stream.readall()


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# --- opening --------------------------------------------------------------------------------------


def test_a_file_is_opened_with_its_status_and_path(root: Path) -> None:
    opened = open_below(str(root), ["sub", "b.txt"])
    opened.stream.close()
    assert opened.status.st_size == 1
    assert opened.path == str(root / "sub" / "b.txt")


@pytest.mark.parametrize(
    ("link", "target", "content"),
    [
        pytest.param("in.txt", "a.txt", b"a", id="file"),
        pytest.param("in", "sub", b"b", id="folder"),
        pytest.param("in.txt", "../root/a.txt", b"a", id="out-and-in"),
    ],
)
def test_b206_a_link_that_ends_inside_is_followed(
    root: Path, link: str, target: str, content: bytes
) -> None:
    (root / link).symlink_to(target)
    segments = [link] if content == b"a" else [link, "b.txt"]
    assert read(str(root), segments) == content


@pytest.mark.parametrize(
    ("link", "target", "segments"),
    [
        pytest.param("x.txt", "../outside/secret.txt", ["x.txt"], id="file"),
        pytest.param("x", "../outside", ["x", "secret.txt"], id="folder"),
        pytest.param("x.txt", "x.txt", ["x.txt"], id="loop"),
        pytest.param("x.txt", "gone.txt", ["x.txt"], id="nowhere"),
    ],
)
def test_b206_a_link_that_ends_elsewhere_is_not(
    root: Path, link: str, target: str, segments: list[str]
) -> None:
    (root / link).symlink_to(target)
    with pytest.raises(OSError, match=r"leads out|No such file|Too many levels"):
        read(str(root), segments)


def test_b206_a_chain_of_links_counts_by_its_end(root: Path) -> None:
    for name, target in (("1", "2"), ("2", "3"), ("3", "a.txt"), ("4", "5"), ("5", "../outside")):
        (root / name).symlink_to(target)
    assert read(str(root), ["1"]) == b"a"
    with pytest.raises(FileNotFoundError):
        read(str(root), ["4", "secret.txt"])


def test_b206_links_may_lead_into_folders_that_are_named(root: Path) -> None:
    (root / "x").symlink_to("../outside")
    outside = str(root.parent / "outside")
    assert read(str(root), ["x", "secret.txt"], [outside]) == b"secret"


def test_a_folder_whose_name_begins_alike_is_outside(root: Path) -> None:
    (root.parent / "root_evil").mkdir()
    (root.parent / "root_evil" / "e.txt").write_bytes(b"evil")
    (root / "x.txt").symlink_to("../root_evil/e.txt")
    with pytest.raises(FileNotFoundError):
        read(str(root), ["x.txt"])


def test_the_folder_itself_may_be_reached_by_a_link(root: Path) -> None:
    (root.parent / "current").symlink_to(root)
    (root / "in.txt").symlink_to("a.txt")
    assert read(str(root.parent / "current"), ["a.txt"]) == b"a"
    assert read(str(root.parent / "current"), ["in.txt"]) == b"a"


@pytest.mark.parametrize(
    ("segments", "error"),
    [
        (["gone.txt"], FileNotFoundError), (["sub"], IsADirectoryError),
        (["a.txt", "b"], NotADirectoryError), (["gone", "b"], FileNotFoundError),
        (["x" * 300], OSError),
    ],
)  # fmt: skip
def test_what_is_no_file_is_not_opened(
    root: Path, segments: list[str], error: type[OSError]
) -> None:
    before = count_descriptors()
    with pytest.raises(error):
        open_below(str(root), segments)
    assert count_descriptors() == before


def test_b214_a_fifo_is_refused_without_waiting_for_a_writer(root: Path) -> None:
    os.mkfifo(root / "fifo")
    with pytest.raises(FileNotFoundError, match="Not a regular file"):
        open_below(str(root), ["fifo"])
    with pytest.raises(FileNotFoundError, match="Not a regular file"):
        open_file(str(root / "fifo"))


def test_open_file_follows_links(root: Path) -> None:
    (root / "x").symlink_to("../outside/secret.txt")
    with open_file(str(root / "x")).stream as stream:
        assert stream.readall() == b"secret"


@pytest.mark.parametrize("swap", ["to another file", "to a link"])
def test_b219_a_path_that_is_swapped_after_the_check_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: str
) -> None:
    """Where there are no descriptors of folders, the path is looked at again after the open."""
    (tmp_path / "a.txt").write_bytes(b"a")
    (tmp_path / "b.txt").write_bytes(b"b")

    def open_and_swap(path: str) -> Any:
        opened = open_file(path)
        (tmp_path / "a.txt").unlink()
        if swap == "to a link":
            (tmp_path / "a.txt").symlink_to("b.txt")
        else:
            (tmp_path / "b.txt").rename(tmp_path / "a.txt")
        return opened

    monkeypatch.setattr(files, "_HAS_DIR_FD", False)
    monkeypatch.setattr(files, "open_file", open_and_swap)
    with pytest.raises(FileNotFoundError, match="replaced"):
        open_below(str(tmp_path), ["a.txt"])


def test_b219_a_link_that_appears_after_it_was_resolved_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").symlink_to("a.txt")
    (tmp_path / "a.txt").symlink_to("/etc/passwd")
    monkeypatch.setattr(files, "_resolve", lambda *_: (str(tmp_path), ["a.txt"]))
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        open_below(str(tmp_path), ["in"])


def test_b216_a_name_must_be_spelled_as_the_file_is(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_FOLDS_CASE", True)
    assert read(str(root), ["sub", "b.txt"]) == b"b"
    (root / "A.TXT").write_bytes(b"stands for a file system that takes both")
    monkeypatch.setattr(os, "listdir", lambda _: ["a.txt"])
    with pytest.raises(FileNotFoundError):
        open_below(str(root), ["A.TXT"])


# --- bytes ----------------------------------------------------------------------------------------


class Reader:
    """A file object of which everything can be told to be wrong."""

    def __init__(self, *chunks: Any) -> None:
        self.chunks = list(chunks)
        self.threads: list[threading.Thread] = []
        self.closed = 0

    def seek(self, position: int, whence: int = 0) -> int:
        return position

    def read(self, size: int) -> Any:
        self.threads.append(threading.current_thread())
        return self.chunks.pop(0) if self.chunks else b""

    def close(self) -> None:
        self.closed += 1


class AsyncReader(Reader):
    """The same, read by coroutines."""

    async def read(self, size: int) -> Any:
        return super().read(size)

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed += 1


async def collect(chunks: Any) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def test_a_small_file_is_read_at_once_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"x" * SMALL)
    opened = open_file(str(path))
    assert content_of(opened) == b"x" * SMALL
    assert opened.stream.closed


async def test_a_large_file_is_a_source_that_owns_it(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(data := os.urandom(CHUNK * 3 + 5))
    opened = open_file(str(path))
    source = content_of(opened)
    assert isinstance(source, FileSource)
    assert (source.length, source.path) == (len(data), str(path))
    for start, stop in ((0, len(data)), (7, 8), (CHUNK - 1, CHUNK * 2 + 1)):
        assert await collect(source.span(start, stop)) == data[start:stop]
    await source.aclose()
    assert opened.stream.closed


async def test_a_path_that_is_relative_is_not_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large").write_bytes(b"x" * (SMALL + 1))
    monkeypatch.chdir(tmp_path)
    source = content_of(open_file("large"))
    assert isinstance(source, FileSource)
    assert source.path is None
    await source.aclose()


async def test_b145_a_file_that_has_become_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (CHUNK * 2))
    source = content_of(open_file(str(path)))
    assert isinstance(source, FileSource)
    os.truncate(path, CHUNK + 10)
    with pytest.raises(EOFError, match=f"ended at byte {CHUNK + 10}"):
        await collect(source.span(0, CHUNK * 2))
    await source.aclose()


async def test_short_reads_are_put_together_in_a_thread() -> None:
    reader = Reader(b"ab", b"c", b"d")
    source = FileSource(reader, 4)  # type: ignore[arg-type]  # as much of a file as is read
    assert await collect(source.span(0, 4)) == b"abcd"
    assert threading.main_thread() not in reader.threads


@pytest.mark.parametrize("chunk", ["text", None, b"too many bytes"], ids=["text", "none", "many"])
async def test_b233_a_reader_that_gives_something_else_is_an_error(chunk: Any) -> None:
    source = FileSource(Reader(chunk), 4)  # type: ignore[arg-type]  # as above
    with pytest.raises(TypeError, match=r"read\(4\) of .* Give a binary file"):
        await collect(source.span(0, 4))


async def test_b233_a_source_closes_its_file_once() -> None:
    reader = Reader()
    source = FileSource(reader, 4)  # type: ignore[arg-type]  # as above
    await source.aclose()
    await source.aclose()
    assert reader.closed == 1


async def test_b233_a_file_object_is_a_source_from_its_position() -> None:
    file = BytesIO(b"0123456789")
    file.seek(4)
    source = source_of(file)
    assert source is not None
    assert (source.length, source.path) == (6, None)
    assert await collect(source.span(1, 3)) == b"56"


def test_b233_a_position_behind_the_end_leaves_nothing() -> None:
    file = BytesIO(b"0123")
    file.seek(9)
    source = source_of(file)
    assert source is not None
    assert source.length == 0


def test_a_file_object_that_cannot_seek_is_no_source() -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        assert source_of(pipe) is None
    assert source_of(Reader()) is None  # type: ignore[arg-type]  # it does not tell


@pytest.mark.parametrize("make", [Reader, AsyncReader])
async def test_b233_a_stream_is_read_to_its_end_and_closed_once(
    make: Callable[..., Reader],
) -> None:
    reader = make(b"ab", b"c")
    stream = FileStream(reader)
    assert await collect(stream) == b"abc"
    await stream.aclose()
    await stream.aclose()
    assert reader.closed == 1


async def test_b233_a_stream_of_text_is_an_error() -> None:
    with pytest.raises(TypeError, match="gave str"):
        await collect(FileStream(StringIO("text")))


async def test_a_stream_of_what_cannot_be_closed_ends() -> None:
    await FileStream(SimpleNamespace(read=bytes)).aclose()


async def test_e06_a_cancelled_exchange_closes_its_files() -> None:
    readers = Reader(), Reader(), AsyncReader()
    source = FileSource(readers[0], 4)  # type: ignore[arg-type]  # as above
    with anyio.CancelScope() as scope:
        scope.cancel()
        for each in (source, FileStream(readers[1]), FileStream(readers[2])):
            await each.aclose()
    assert [reader.closed for reader in readers] == [1, 1, 1]
