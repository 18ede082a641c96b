"""Catalogue 2.15: static files."""

import contextlib
import errno
import os
import resource
import socket
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import anyio
import pytest

from erlen import Blueprint, Erlen
from erlen.exceptions import SetupError
from erlen.exchange import files
from tests.hostile.harness import HOST, Answer, Bare, captured, http_scope

SECRET = b"secret"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The root path of an application: static files, and what must not be seen around them."""
    for folder in ("static/sub", "static/.git", "static/.well-known", "static_evil", "outside"):
        (tmp_path / folder).mkdir(parents=True)
    for name, content in {
        "secret.txt": SECRET,
        "static_evil/e.txt": SECRET,
        "outside/s.txt": SECRET,
        "static/.env": SECRET,
        "static/.git/config": SECRET,
        "static/.htpasswd": SECRET,
        "static/.well-known/security.txt": b"contact",
        "static/a.txt": b"a",
        "static/a.txt~": b"backup",
        "static/sub/index.html": b"index",
        "static/large": bytes(files.SMALL + 1),
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def app(tree: Path) -> Erlen:
    app = Erlen("static-files", root_path=str(tree))

    @app.get("/ok")
    async def ok() -> str:
        return "ok"

    return app


@pytest.fixture
def server(app: Erlen) -> Bare:
    return Bare(app, [])


async def ask(server: Bare, raw: str | bytes, **scope: Any) -> Answer:
    """Ask for a path as it stands on the request line; it is decoded as servers do."""
    sent = raw if isinstance(raw, bytes) else raw.encode()
    decoded = unquote_to_bytes(sent).decode("utf-8", "replace")
    return await server.http(decoded, raw_path=sent, **scope)


NEVER = {
    "b201": ["../secret.txt", "sub/../../secret.txt", "../../../../../../etc/passwd"],
    "b202": [
        "%2e%2e/secret.txt", ".%2e/secret.txt", "%2e./secret.txt", "..;/secret.txt",
        "....//secret.txt", "%2e%2e;/secret.txt",
    ],
    "b203": [
        "..%2fsecret.txt", "..%2Fsecret.txt", "..%5csecret.txt", "..\\secret.txt",
        "%252e%252e%252fsecret.txt", "%2e%2e%2fsecret.txt", "sub%5c..%5c..%5csecret.txt",
    ],
    "b204": ["sub%2Findex.html", "sub%2findex.html", "%2e%2fa.txt"],
    "b205": [
        "../static_evil/e.txt", "%2e%2e/static_evil/e.txt", "..%2fstatic_evil/e.txt",
        "_evil/e.txt", "sub/../../static_evil/e.txt",
    ],
    "b207": ["%2Fetc/passwd", "./a.txt", "a.txt/", "sub/./index.html", "."],
    "b208": [
        "c%3a%5cwindows%5cwin.ini", "C:/x", "c:x", "a.txt:stream", "a.txt::$DATA", "a.txt::",
        "c%3A/windows",
    ],
    "b209": [
        "%5c%5chost%5cshare", "\\\\?\\C:\\", "\\\\.\\pipe\\x", "%5C%5C.%5Cpipe%5Cx", "\\\\host/share",
    ],
    "b212": ["x" * 256, "x" * 5000, "/".join(["x"] * 3000), "é" * 200],
    "b213": ["sub", "sub/", ""],
    "b215": [".env", ".git/config", ".htpasswd", ".", "...", ".git"],
}  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(raw, id=f"{row}-{index}")
        for row, names in NEVER.items()
        for index, raw in enumerate(names)
    ],
)
async def test_no_such_name_is_a_file(server: Bare, raw: str) -> None:
    answer = await ask(server, f"/static/{raw}")
    assert answer.status == 404
    assert SECRET not in answer.body


@pytest.mark.parametrize("raw", ["//etc/passwd", "/static//a.txt", "//host/share"], ids=str)
async def test_b207_b209_slashes_in_a_row_are_one_by_a_redirect_that_keeps_the_host(
    server: Bare, raw: str
) -> None:
    answer = await ask(server, raw)
    assert answer.status in {308, 404}
    location = answer.headers.get(b"location", b"/static/a.txt")
    assert location == b"/static/a.txt"


DEVICES = [
    "CON", "con", "con.txt", "CON%20", "CON.", "NUL.tar.gz", "sub/AUX/x", "COM1", "COM%C2%B9",
    "LPT%C2%B3", "CONIN$", "CONOUT$", "con:", "con::", "PRN%20%20.txt", "nul", "aux.h", "Prn",
    "sub/nul", "COM9.txt", "lpt1", "LPT9.x.y", "con%20.txt", "NUL%20", "NUL.", "NUL..", "nul.%20",
    "a.txt.", "a.txt%20", "sub./index.html", "COM0", "CLOCK$",
]  # fmt: skip


@pytest.mark.parametrize("raw", DEVICES)
async def test_b210_b216_names_of_devices_are_404_even_where_they_are_files(
    server: Bare, tree: Path, raw: str
) -> None:
    name = unquote_to_bytes(raw).decode()
    path = tree / "static" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_dir():
        path.write_bytes(SECRET)
    assert (await ask(server, f"/static/{raw}")).status == 404


@pytest.mark.parametrize("row", ["b208", "b209"])
async def test_b209_a_name_of_another_system_never_reaches_the_disk(
    server: Bare, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    monkeypatch.setattr("erlen.files.finding.in_thread", pytest.fail)
    for raw in NEVER[row]:
        assert (await ask(server, f"/static/{raw}")).status == 404


@pytest.mark.parametrize(
    "raw", [b"a%00.txt", b"..%00/secret.txt", b"%01", b"%1f", b"%7f", b"%ff%fe", b"%ed%a0%80"]
)
async def test_b211_b202_bytes_that_no_path_has_are_400(server: Bare, raw: bytes) -> None:
    assert (await ask(server, b"/static/" + raw)).status == 400


@pytest.mark.parametrize(
    ("link", "target", "asked", "status"),
    [
        pytest.param("l.txt", "../outside/s.txt", "l.txt", 404, id="b206-file-outside"),
        pytest.param("l", "../outside", "l/s.txt", 404, id="b206-folder-outside"),
        pytest.param("l.txt", "/etc/passwd", "l.txt", 404, id="b206-absolute"),
        pytest.param("l.txt", "a.txt", "l.txt", 200, id="b206-inside"),
        pytest.param("l", "sub", "l/index.html", 200, id="b206-folder-inside"),
        pytest.param("l.txt", "../static/a.txt", "l.txt", 200, id="b206-out-and-in"),
        pytest.param("l.txt", "l.txt", "l.txt", 404, id="b206-loop"),
        pytest.param("l.txt", "/proc/self/environ", "l.txt", 404, id="b214-proc"),
        pytest.param("l.txt", "/dev/zero", "l.txt", 404, id="b214-device"),
    ],
)
async def test_a_link_counts_by_where_it_ends(
    server: Bare, tree: Path, link: str, target: str, asked: str, status: int
) -> None:
    (tree / "static" / link).symlink_to(target)
    assert (await ask(server, f"/static/{asked}")).status == status


async def test_b206_a_chain_of_three_counts_by_its_end(server: Bare, tree: Path) -> None:
    for chain, end in (("in", "a.txt"), ("out", "../secret.txt")):
        for name, target in (
            (f"{chain}1", f"{chain}2"),
            (f"{chain}2", f"{chain}3"),
            (f"{chain}3", end),
        ):
            (tree / "static" / name).symlink_to(target)
    assert (await ask(server, "/static/in1")).body == b"a"
    assert (await ask(server, "/static/out1")).status == 404


async def test_b213_a_folder_is_never_listed(server: Bare) -> None:
    for raw in ("/static", "/static/", "/static/sub", "/static/sub/"):
        answer = await ask(server, raw)
        assert answer.status in {308, 404}
        assert b"index" not in answer.body


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
async def test_b214_what_is_no_regular_file_is_404_at_once(
    server: Bare, tree: Path, kind: str
) -> None:
    path = tree / "static" / "x"
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            listening.bind(str(path))
        else:
            try:
                os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))
            except PermissionError:
                pytest.skip("only a superuser makes devices")
        assert (await ask(server, "/static/x")).status == 404


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
async def test_b214_a_file_without_permission_is_as_missing_and_logged_once(
    server: Bare, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    missing = await ask(server, "/static/gone.txt")
    fail_to_open(monkeypatch, code)
    answer = await ask(server, "/static/a.txt")
    assert (answer.status, answer.body) == (404, missing.body)
    assert [record.levelname for record in answer.log] == ["WARNING"]


def fail_to_open(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let every open of a file in the last folder fail with an error."""

    def fail(*_: Any, **__: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files, "_walk", fail)
    monkeypatch.setattr(files, "open_file", fail)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
async def test_b221_without_descriptors_it_is_503_logged_once(
    server: Bare, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    with monkeypatch.context() as patch:
        fail_to_open(patch, code)
        answer = await ask(server, "/static/a.txt")
    assert answer.status == 503
    assert [record.levelname for record in answer.log] == ["ERROR"]
    assert (await ask(server, "/static/a.txt")).body == b"a"


async def test_b221_the_true_limit_of_descriptors_is_survived(server: Bare) -> None:
    """Every descriptor but those in use is taken; afterwards all goes on."""
    await ask(server, "/static/sub/index.html")  # threads and modules are there
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(open_descriptors()) + 1, hard))
    taken: list[int] = []
    try:
        take_all(taken)
        answer = await ask(server, "/static/a.txt")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)
    assert answer.status == 503
    assert (await ask(server, "/static/a.txt")).body == b"a"


def take_all(taken: list[int]) -> None:
    """Open files until no more can be."""
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))


async def test_b215_the_one_folder_with_a_dot_that_is_public(server: Bare) -> None:
    assert (await ask(server, "/static/.well-known/security.txt")).body == b"contact"
    assert (await ask(server, "/static/a.txt~")).body == b"backup"


async def test_b216_another_case_is_another_name(server: Bare) -> None:
    assert (await ask(server, "/static/A.TXT")).status == 404
    assert (await ask(server, "/static/SUB/index.html")).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "PATCH"])
async def test_b217_static_files_are_only_read(server: Bare, method: str) -> None:
    answer = await ask(server, "/static/a.txt", method=method)
    assert answer.status == 405
    allowed = set(answer.headers[b"allow"].decode().split(", "))
    assert allowed - {"OPTIONS"} == {"GET", "HEAD"}


async def test_b218_a_websocket_to_a_static_path_is_denied(server: Bare) -> None:
    answer = await server.websocket("/static/a.txt")
    assert answer.status in {400, 404}
    assert answer.kinds[0] == "http.response.start"


SWAPS = 2000


@pytest.mark.parametrize(
    ("swapped", "descriptors"),
    [("file", True), ("folder", True), ("file", False)],
    ids=["file", "folder", "file-without-descriptors-of-folders"],
)
async def test_b219_a_file_that_is_swapped_against_a_link_never_escapes(
    app: Erlen, tree: Path, monkeypatch: pytest.MonkeyPatch, swapped: str, descriptors: bool
) -> None:
    """Another thread swaps as fast as it can; what is answered is the file, or 404."""
    monkeypatch.setattr("erlen.files.static.TRUST", 0)
    monkeypatch.setattr(files, "_HAS_DIR_FD", descriptors)
    raw = "/static/x/s.txt" if swapped == "folder" else "/static/x"
    seen: set[tuple[int, bytes]] = set()
    with swapping(tree / "static" / "x", tree / "outside", swapped):
        for _ in range(SWAPS):
            sent: list[Any] = []
            await app(http_scope(raw, (HOST,)), anyio.sleep_forever, _append_to(sent))
            seen.add((sent[0]["status"], sent[1]["body"][:6]))
    bodies = {body for status, body in seen if status == 200}
    assert bodies == {b"public"}
    assert {status for status, _ in seen} <= {200, 404}


def _append_to(sent: list[Any]) -> Any:
    async def send(message: Any) -> None:
        sent.append(message)

    return send


class swapping:  # noqa: N801  # reads as what it does
    """Swap a path between the public thing and a link out of the folder, until the block ends."""

    def __init__(self, path: Path, outside: Path, kind: str) -> None:
        self.path = path
        self.public = path.with_name("public")
        self.link = path.with_name("link")
        self.kept = path.with_name("kept")
        target = outside if kind == "folder" else outside / "s.txt"
        if kind == "folder":
            self.public.mkdir()
            (self.public / "s.txt").write_bytes(b"public")
        else:
            self.public.write_bytes(b"public")
        self.link.symlink_to(target)
        self.public.rename(path)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.swap)

    def swap(self) -> None:
        while not self.over.is_set():
            self.path.rename(self.kept)
            self.link.rename(self.path)
            self.path.rename(self.link)
            self.kept.rename(self.path)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


@pytest.mark.parametrize(
    "folder",
    [pytest.param("gone", id="b220-missing"), pytest.param("secret.txt", id="b220-file"),
     pytest.param(".", id="b224-the-code"), pytest.param("..", id="b224-above-the-code")],
)  # fmt: skip
@pytest.mark.parametrize("make", [Erlen, Blueprint])
def test_a_folder_that_cannot_be_meant_is_an_error_at_registration(
    tree: Path, make: Any, folder: str
) -> None:
    name = () if make is Erlen else ("part",)
    with pytest.raises(SetupError, match="static folder"):
        make(*name, "import_name", static_folder=folder, root_path=str(tree))


async def test_b220_a_relative_folder_is_absolute_from_the_beginning(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    app = Erlen("relative", root_path=".")
    app.add_url_rule("/ok", view_func=lambda: "ok")
    monkeypatch.chdir("/")
    assert app.static_folder == str(tree / "static")
    assert (await ask(Bare(app, []), "/static/a.txt")).body == b"a"


async def test_b220_the_default_folder_need_not_be_there(tmp_path: Path) -> None:
    app = Erlen("bare", root_path=str(tmp_path))
    app.add_url_rule("/ok", view_func=lambda: "ok")
    assert (await ask(Bare(app, []), "/static/a.txt")).status == 404


CLIENTS = 200


async def test_b222_slow_readers_cost_a_chunk_and_a_descriptor_each(app: Erlen, tree: Path) -> None:
    """They all stand still after the first chunk; then they leave."""
    (tree / "static" / "ten").write_bytes(bytes(10 * 2**20))
    await app(http_scope("/static/a.txt", (HOST,)), anyio.sleep_forever, _append_to([]))
    memory = resident()
    waiting: list[int] = []
    all_wait = anyio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            waiting.append(len(message["body"]))
            if len(waiting) == CLIENTS:
                all_wait.set()
            await anyio.sleep_forever()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(CLIENTS):
                tasks.start_soon(app, http_scope("/static/ten", (HOST,)), anyio.sleep_forever, send)
            await all_wait.wait()
            assert len(opened(tree)) == CLIENTS
            assert resident() - memory < CLIENTS * (files.CHUNK + 32 * 1024)
            tasks.cancel_scope.cancel()
    assert not opened(tree)


def opened(tree: Path) -> list[str]:
    """Return the files below a folder that are open."""
    links = map(os.path.realpath, Path("/proc/self/fd").iterdir())
    return [link for link in links if link.startswith(str(tree))]


def open_descriptors() -> list[int]:
    """Return the open descriptors, without that of the listing itself."""
    return [int(name) for name in os.listdir("/proc/self/fd") if is_open(int(name))]  # noqa: PTH208  # names, not paths


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def resident() -> int:
    """Return the bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.unheard", b"application/octet-stream"), ("x", b"application/octet-stream"),
        ("x.svg", b"image/svg+xml; charset=utf-8"), ("x.html", b"text/html; charset=utf-8"),
        ("x.js", b"text/javascript; charset=utf-8"),
    ],
)  # fmt: skip
async def test_b223_the_type_is_of_a_fixed_table_and_not_to_be_guessed(
    server: Bare, tree: Path, name: str, kind: bytes
) -> None:
    (tree / "static" / name).write_bytes(b"<script>")
    answer = await ask(server, f"/static/{name}")
    assert answer.headers[b"content-type"] == kind
    assert answer.headers[b"x-content-type-options"] == b"nosniff"


async def test_b224_two_folders_of_one_name_are_apart(tree: Path) -> None:
    (tree / "part" / "static").mkdir(parents=True)
    (tree / "part" / "static" / "p.txt").write_bytes(b"part")
    app = Erlen("two", root_path=str(tree))
    app.add_url_rule("/ok", view_func=lambda: "ok")
    part = Blueprint("part", "part", static_folder="static", root_path=str(tree / "part"))
    app.register_blueprint(part, url_prefix="/part")
    server = Bare(app, [])
    answers = {
        raw: (await ask(server, raw)).status
        for raw in ("/static/a.txt", "/part/static/p.txt", "/static/p.txt", "/part/static/a.txt")
    }
    assert list(answers.values()) == [200, 200, 404, 404]


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/passwd", "a.txt.gz", "gone"])
async def test_b225_a_compressed_neighbour_by_a_link_out_is_passed_over(
    server: Bare, tree: Path, target: str
) -> None:
    (tree / "static" / "a.txt.gz").symlink_to(target)
    answer = await ask(server, "/static/a.txt", headers=[HOST, (b"accept-encoding", b"gzip")])
    assert (answer.status, answer.body) == (200, b"a")
    assert b"content-encoding" not in answer.headers


async def test_a_log_shows_no_control_of_a_name(
    app: Erlen, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_open(monkeypatch, errno.EACCES)
    with captured() as log:
        sent: list[Any] = []
        raw = "/static/\u202e" + "x" * 200
        await app(http_scope(raw, (HOST,)), anyio.sleep_forever, _append_to(sent))
    log.check(404)
