"""Catalogue 2.7 and 2.8: urlencoded and multipart bodies."""

import errno
import json
import logging
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import anyio
import pytest

from erlen import request
from erlen.exchange.uploads import UploadFile
from erlen.protocols import Message
from tests.exchange.form_bodies import (
    BOUNDARY,
    KIB,
    MIB,
    MULTIPART,
    URLENCODED,
    field,
    multipart,
    open_temporary_files,
)
from tests.hostile.application import Hostile, add_paths
from tests.hostile.harness import HOST, LEFT, Answer, Bare, http_scope, part, run

END = f"--{BOUNDARY}--\r\n".encode()
#: Both ways of reading a multipart body.
WAYS = pytest.mark.parametrize("path", ["/form", "/parts"])


def make_app(**config: Any) -> Hostile:
    """Return an application whose views read forms and show what they got."""
    app = Hostile(**config)
    add_paths(app)

    @app.view("/form", methods=["POST"])
    async def form() -> dict[str, Any]:
        fields = (await request.form).to_dict(flat=False)
        uploads = (await request.files).items(multi=True)
        return {"form": fields, "files": [await shown(name, upload) for name, upload in uploads]}

    @app.view("/parts", methods=["POST"])
    async def parts() -> dict[str, Any]:
        fields: dict[str, list[str]] = {}
        files = []
        async for each in request.multipart():
            if each.filename is None:
                fields.setdefault(each.name, []).append(await each.text())
            else:
                content = b"".join([chunk async for chunk in each])
                files.append([each.name, each.filename, content.decode("latin-1")])
        return {"form": fields, "files": files}

    @app.view("/names", methods=["POST"])
    async def names() -> list[Any]:
        return [[each.filename, each.raw_filename] for each in (await request.files).values()]

    @app.view("/kept", methods=["POST"])
    async def kept() -> str:
        app.seen.extend((await request.files).values())
        return "kept"

    @app.view("/failing", methods=["POST"])
    async def failing() -> str:
        app.seen.extend((await request.files).values())
        raise ValueError("The view fails.")

    @app.view("/waiting", methods=["POST"])
    async def waiting() -> str:
        app.seen.extend((await request.files).values())
        await anyio.sleep_forever()
        raise NotImplementedError

    return app


async def shown(name: str, upload: UploadFile) -> list[str]:
    return [name, upload.filename, (await upload.read()).decode("latin-1")]


@pytest.fixture(scope="module")
def app() -> Hostile:
    return make_app()


async def post(
    server: Bare, body: bytes | Iterable[Message], path: str = "/form", kind: str = MULTIPART
) -> Answer:
    """Send a form; afterwards no temporary file is open."""
    before = open_temporary_files()
    headers = [HOST, (b"content-type", kind.encode("latin-1"))]
    answer = await server.http(path, method="POST", headers=headers, body=body)
    assert open_temporary_files() == before
    return answer


async def read(server: Bare, body: Any, path: str = "/form", kind: str = MULTIPART) -> Any:
    """Send a form and return what the view saw."""
    answer = await post(server, body, path, kind)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def messages(*chunks: bytes) -> list[Message]:
    """Return one message for each chunk, and an empty one for the end."""
    return [*(part(chunk, more=True) for chunk in chunks), part(b"")]


def splits(body: bytes) -> Iterator[list[Message]]:
    """Yield *body* in two messages, split at every place, and in messages of one byte."""
    for place in range(len(body) + 1):
        yield messages(body[:place], body[place:])
    yield messages(*(body[place : place + 1] for place in range(len(body))))


# --- 2.7 urlencoded -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "form"),
    [
        pytest.param(b"a=%zz&b=%ff", {"a": ["%zz"], "b": ["\ufffd"]}, id="b095"),
        pytest.param(b"a=+&b=%2B&c=%20&d=%C3%A9", {"a": [" "], "b": ["+"], "c": [" "], "d": ["é"]},
                     id="b100-escapes"),
        pytest.param(b"&&&", {}, id="b100-no-field"),
        pytest.param(b"=", {"": [""]}, id="b100-no-name"),
        pytest.param(b"_charset_=utf-16&a=%C3%A9", {"_charset_": ["utf-16"], "a": ["é"]},
                     id="b098-magic-field"),
    ],
)  # fmt: skip
async def test_urlencoded_fields_are_those_of_a_query(server: Bare, body: bytes, form: Any) -> None:
    assert await read(server, body, kind=URLENCODED) == {"form": form, "files": []}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param([b"a=1&" * 5000], id="b096-5000-fields"),
        pytest.param([b"a=1&" * 200_000], id="b096-200000-fields"),
        pytest.param([b"a=1&"] * 200_000, id="b096-200000-fields-one-by-one"),
        pytest.param([b"a=" + b"x" * 2 * MIB], id="b097"),
        pytest.param([b"a=", *[b"x" * KIB] * 2048], id="b097-in-chunks"),
    ],
)
async def test_a_large_urlencoded_body_is_413_and_not_read_on(server: Bare, body: Any) -> None:
    answer = await post(server, messages(*body), kind=URLENCODED)
    assert answer.status == 413
    assert answer.taken <= max(2, 0.6 * len(body))


@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "latin-1", "rot13", "'"])
async def test_b098_a_charset_is_ignored(server: Bare, charset: str) -> None:
    seen = await read(server, b"a=%C3%A9+-&b=\xc3\xa9", kind=f"{URLENCODED}; charset={charset}")
    assert seen["form"] == {"a": ["é -"], "b": ["é"]}


async def test_b099_b100_every_split_gives_the_same(server: Bare) -> None:
    body = b"a=%C3%A9+%2B%20&&b=%zz&=1&c&" * 7
    whole = await read(server, body, kind=URLENCODED)
    for each in splits(body):
        assert await read(server, each, kind=URLENCODED) == whole


@pytest.mark.parametrize(
    ("body", "length"),
    [
        pytest.param(b"%" * MIB, MIB, id="b100-percents"),
        pytest.param(b"+" * MIB, MIB, id="b100-pluses"),
        pytest.param(b"%41" * (MIB // 3), MIB // 3, id="b100-escapes"),
    ],
)
async def test_b100_a_mebibyte_of_one_kind_takes_linear_time(
    server: Bare, body: bytes, length: int
) -> None:
    begin = time.perf_counter()
    seen = await read(server, body, kind=URLENCODED)
    assert time.perf_counter() - begin < 5
    assert [len(name) for name in seen["form"]] == [length]


async def test_b099_tiny_messages_cost_a_small_multiple() -> None:
    app = make_app(MAX_FORM_MEMORY_SIZE=60_000)
    server = Bare(app, app.ran)
    tracemalloc.start()
    try:
        answer = await post(server, (part(b"ab", more=True) for _ in range(MIB)), kind=URLENCODED)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.status, answer.taken < 40_000, peak < 500_000) == (413, True, True)


# --- 2.8 names ------------------------------------------------------------------------------------

FILENAMES = [
    ("../../etc/passwd", "passwd"), (r"..\..\x", "x"), ("/etc/x", "x"), (r"C:\x", "x"),
    (r"\\h\s", "s"), ("CON", "CON"), ("con.txt ", "con.txt "), (".", ""), ("..", ""), ("", ""),
    ("x" * 5000 + ".txt", "x" * 251 + ".txt"), ("é" * 200, "é" * 127), ("x:$DATA", "x:$DATA"),
    ("a\u202etxt.exe", "atxt.exe"), ("\U0001f600.png", "\U0001f600.png"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "clean"), FILENAMES, ids=[f"b101-{number}" for number in range(len(FILENAMES))]
)
async def test_a_file_name_has_no_directory_and_no_controls(
    server: Bare, raw: str, clean: str
) -> None:
    assert await read(server, multipart(("up", b"x", raw)), "/names") == [[clean, raw]]


@pytest.mark.parametrize("control", ["\0", "\r", "\n", "\x1b"])
async def test_b101_control_characters_in_a_file_name_are_400(server: Bare, control: str) -> None:
    answer = await post(server, multipart(("up", b"x", f"a{control}b")))
    assert answer.status == 400


async def test_b101_an_encoded_surrogate_is_not_let_in(server: Bare) -> None:
    body = multipart(field("up", b"x", "NAME").replace(b"NAME", b"a\xed\xa0\x80"))
    answer = await post(server, body, "/names")
    if answer.status != 400:
        [[clean, _]] = json.loads(answer.body)
        assert clean.encode()


# --- 2.8 framing ----------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param("", id="b102-none"),
        pytest.param("; boundary=", id="b102-empty"),
        pytest.param('; boundary=""', id="b102-empty-quoted"),
        pytest.param(f"; boundary={'x' * 71}", id="b102-71"),
        pytest.param(f"; boundary={'x' * 5000}", id="b102-5000"),
        pytest.param(f'; boundary="{BOUNDARY} "', id="b102-space"),
        pytest.param("; boundary=é", id="b102-beyond-ascii"),
        pytest.param('; boundary="a\\"b"', id="b102-quote"),
    ],
)
async def test_b102_a_bad_boundary_is_400(server: Bare, path: str, parameter: str) -> None:
    answer = await post(server, multipart(("a", b"1")), path, f"multipart/form-data{parameter}")
    assert (answer.status, answer.taken) == (400, 0)


@WAYS
async def test_b102_dashes_as_a_boundary_do_not_match_another(server: Bare, path: str) -> None:
    kind = "multipart/form-data; boundary=--"
    assert (await post(server, multipart(("a", b"1")), path, kind)).status == 400


@WAYS
async def test_b103_a_body_cut_off_anywhere_is_400(server: Bare, path: str) -> None:
    body = multipart(("a", b"1"), ("up", b"content\r\n-", "a.txt")).removesuffix(b"\r\n")
    for length in range(len(body)):
        begin = time.perf_counter()
        assert (await post(server, messages(body[:length]), path)).status == 400
        assert time.perf_counter() - begin < 5
    assert (await post(server, body, path)).status == 200


@WAYS
async def test_b103_a_large_file_cut_off_is_400_and_gone(server: Bare, path: str) -> None:
    body = multipart(("one", b"x" * MIB, "a"), ("two", b"x" * 2 * MIB, "b"))
    assert (await post(server, messages(body[:-9]), path)).status == 400


@WAYS
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="b104-empty"),
        pytest.param(END, 200, id="b104-end-only"),
        pytest.param(b"preamble\r\n", 400, id="b104-preamble-only"),
        pytest.param(b"x" * KIB + b"\r\n" + END, 200, id="b110-preamble-1-kib"),
        pytest.param(b"x" * 100_000 + b"\r\n" + END, 400, id="b110-preamble-100-kb"),
        pytest.param(multipart(("a", b"1")) + b"x" * 100_000, 200, id="b110-epilogue-100-kb"),
        pytest.param(END + b"x" * (15 * MIB), 200, id="b110-epilogue-15-mib"),
        pytest.param(END + b"x" * (16 * MIB), 413, id="b110-epilogue-16-mib"),
        pytest.param(END + multipart(("a", b"\xff")), 200, id="b110-epilogue-like-a-body"),
    ],
)
async def test_what_stands_around_the_parts(
    server: Bare, path: str, body: bytes, status: int
) -> None:
    assert (await post(server, body, path)).status == status


@WAYS
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("a", b"")] * 1001, id="b105-parts"),
        pytest.param([("a", b"", "a")] * 101, id="b105-files"),
    ],
)
async def test_b105_too_many_parts_are_413(server: Bare, path: str, fields: Any) -> None:
    assert (await post(server, multipart(*fields), path)).status == 413
    assert (await post(server, multipart(*fields[:-1]), path)).status == 200


# --- 2.8 headers of parts -------------------------------------------------------------------------


def headed(*lines: bytes, end: bytes = b"\r\n") -> bytes:
    """Return a body of one part with these header lines."""
    head = b"".join(line + end for line in lines)
    return f"--{BOUNDARY}".encode() + end + head + end + b"x" + end + END


NAMED = b'Content-Disposition: form-data; name="a"'


@WAYS
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(headed(), id="b106-no-headers"),
        pytest.param(headed(b"Content-Type: text/plain"), id="b106-no-disposition"),
        pytest.param(headed(b"Content-Disposition: form-data"), id="b106-no-name"),
        pytest.param(headed(b"Content-Disposition: attachment; name=a"), id="b106-no-form-data"),
        pytest.param(headed(NAMED + b"; name=b"), id="b106-two-names"),
        pytest.param(headed(NAMED, NAMED), id="b106-two-dispositions"),
        pytest.param(headed(NAMED, *[b"X: 1"] * 16), id="b108-17-headers"),
        pytest.param(headed(NAMED, b"X: " + b"x" * 100_000), id="b108-100-kb"),
        pytest.param(headed(NAMED, b"no colon"), id="b108-no-colon"),
        pytest.param(headed(NAMED, b"X: 1", b" folded"), id="b108-folded"),
        pytest.param(headed(NAMED, b"X: a\rb"), id="b108-bare-cr"),
        pytest.param(headed(NAMED, b"X: a\nb"), id="b108-bare-lf"),
        pytest.param(headed(NAMED, b"X: a\0b"), id="b108-nul"),
        pytest.param(headed(NAMED, end=b"\n"), id="b109"),
    ],
)
async def test_a_part_with_bad_headers_is_400(server: Bare, path: str, body: bytes) -> None:
    assert (await post(server, body, path)).status == 400


@WAYS
@pytest.mark.parametrize(
    ("parameters", "name", "filename"),
    [
        pytest.param(b"name=a; name*=UTF-8''b", "a", None, id="b107-name"),
        pytest.param(b"name=a; filename=b; filename*=UTF-8''c", "a", "b", id="b107-filename"),
        pytest.param(b"name=a; filename*=UTF-8''c; filename=b", "a", "b", id="b107-the-other-way"),
        pytest.param(b"name=a; filename*0=b; filename*1=c", "a", None, id="b107-continuations"),
    ],
)
async def test_b107_plain_parameters_win(
    server: Bare, path: str, parameters: bytes, name: str, filename: str | None
) -> None:
    body = headed(b"Content-Disposition: form-data; " + parameters)
    expected: Any = {"form": {name: ["x"]}, "files": []}
    if filename is not None:
        expected = {"form": {}, "files": [[name, filename, "x"]]}
    assert await read(server, body, path) == expected


# --- 2.8 content ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("a", b"x" * 2 * MIB)], id="b111-one-text"),
        pytest.param([("a", b"x" * 2 * KIB)] * 1000, id="b111-many-texts"),
        pytest.param([field("a", b"\0" * 2 * MIB, None, "Content-Type: image/png")],
                     id="b111-a-file-without-a-name"),
    ],
)  # fmt: skip
async def test_b111_too_much_text_is_413(server: Bare, fields: Any) -> None:
    assert (await post(server, multipart(*fields))).status == 413


@WAYS
@pytest.mark.parametrize("charset", ["nope", "utf-16", "rot13", "idna", "latin-1", "\x7f"])
async def test_b112_text_is_utf8_whatever_a_part_says(
    server: Bare, path: str, charset: str
) -> None:
    kind = f"Content-Type: text/plain; charset={charset}"
    if not charset.isprintable():
        assert (await post(server, multipart(field("a", b"x", None, kind)), path)).status == 400
        return
    body = multipart(("_charset_", b"utf-16"), field("a", "é".encode(), None, kind))
    assert (await read(server, body, path))["form"]["a"] == ["é"]
    body = multipart(field("a", b"\xe9", None, kind))
    assert (await post(server, body, path)).status == 400


@WAYS
@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Content-Transfer-Encoding: base64", id="b113-base64"),
        pytest.param("Content-Transfer-Encoding: quoted-printable", id="b113-quoted-printable"),
        pytest.param("Content-Encoding: gzip", id="b114-gzip"),
        pytest.param("Content-Type: multipart/mixed; boundary=inner", id="b115"),
    ],
)
async def test_bytes_of_a_part_come_as_they_were_sent(server: Bare, path: str, line: str) -> None:
    content = "=41\r\n--inner\r\n\r\nQQ==\r\n--inner--"
    body = multipart(field("a", content.encode(), None, line), field("b", b"\x1f\x8b", "b", line))
    assert await read(server, body, path) == {
        "form": {"a": [content]}, "files": [["b", "b", "\x1f\x8b"]],
    }  # fmt: skip


@WAYS
@pytest.mark.parametrize("length", ["-1", "0", "2", "99999", "x"])
async def test_b114_a_part_that_differs_from_its_own_length_is_400(
    server: Bare, path: str, length: str
) -> None:
    body = multipart(field("a", b"x", None, f"Content-Length: {length}"))
    assert (await post(server, body, path)).status == 400


LOOKALIKES = {
    "b116-no-newline": f"--{BOUNDARY}",
    "b116-longer": f"\r\n--{BOUNDARY}x"[2:],
    "b116-half": f"\r\n--{BOUNDARY[:-1]}\r\n",
    "b116-one-dash": f"--{BOUNDARY}-",
    "b116-newlines": "\r\n" * 1000,
    "b116-dashes": "\r\n--" * 100_000,
    "b116-ends": "\r" + "\n" + "\r",
}


@WAYS
@pytest.mark.parametrize("content", LOOKALIKES.values(), ids=LOOKALIKES)
async def test_b116_what_only_looks_like_a_boundary_is_content(
    server: Bare, path: str, content: str
) -> None:
    body = multipart(("a", content.encode()), ("b", content.encode(), "b"))
    expected = {"form": {"a": [content]}, "files": [["b", "b", content]]}
    assert await read(server, body, path) == expected
    chunks = [body[place : place + 999] for place in range(0, len(body), 999)]
    assert await read(server, messages(*chunks), path) == expected


async def test_b116_a_million_near_boundaries_take_linear_time(server: Bare) -> None:
    begin = time.perf_counter()
    body = multipart(("a", b"\r\n--" * 10**6, "a"))
    assert (await post(server, body, "/kept")).status == 200
    assert time.perf_counter() - begin < 5


@WAYS
async def test_b117_every_split_gives_the_same(app: Hostile, path: str) -> None:
    content = b"\r\n--BoUn" * 20 + bytes(range(256))
    body = multipart(("a", "é\r\n".encode() * 40), ("up", content * 4, "é.txt"), ("b", b"\r"))
    scope = http_scope(path, [HOST, (b"content-type", MULTIPART.encode())], method="POST")
    [_, whole], _ = await run(app, dict(scope), [part(body)])
    assert json.loads(whole["body"])["files"][0][2] == (content * 4).decode("latin-1")
    for each in splits(body):
        sent, _ = await run(app, dict(scope), each)
        assert sent[1] == whole


@WAYS
async def test_b118_a_name_may_come_a_hundred_times(server: Bare, path: str) -> None:
    fields = [("a", str(number).encode(), *["f"] * (number % 2)) for number in range(100)]
    seen = await read(server, multipart(*fields), path)  # type: ignore[arg-type]  # text and files
    assert seen["form"]["a"] == [str(number) for number in range(0, 100, 2)]
    assert [content for _, _, content in seen["files"]] == [str(n) for n in range(1, 100, 2)]


# --- 2.8 disk, disconnects and ends ---------------------------------------------------------------

LARGE = multipart(("one", b"x" * MIB, "a"), ("two", b"y" * 2 * MIB, "b"))


def full_disk() -> Any:
    return open("/dev/full", "w+b")  # noqa: PTH123  # what writes to it finds no room


def no_directory() -> Any:
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory")


@pytest.mark.parametrize(
    "make",
    [pytest.param(full_disk, id="b119-full"), pytest.param(no_directory, id="b119-no-directory")],
)
async def test_b119_a_disk_that_takes_nothing_is_503(
    server: Bare, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]
) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", make)
    answer = await post(server, LARGE)
    assert answer.status == 503
    assert [record.levelno for record in answer.log] == [logging.ERROR]
    assert answer.log[0].getMessage().startswith("An uploaded file could not be written")


async def test_b119_a_disk_that_takes_nothing_costs_no_memory(
    server: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", full_disk)
    body = messages(*[LARGE[place : place + KIB] for place in range(0, len(LARGE), KIB)])
    await post(server, body)
    tracemalloc.start()
    try:
        for _ in range(5):
            await post(server, body)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (now < MIB, peak < 4 * MIB) == (True, True)


@pytest.mark.parametrize("path", ["/form", "/parts", "/kept"])
async def test_b120_a_client_that_leaves_leaves_no_file(path: str) -> None:
    app = make_app(UPLOAD_SPOOL_SIZE=0)
    server = Bare(app, app.ran)
    before = open_temporary_files()
    body = multipart(("one", b"x", "a"), ("two", b"y", "b"))
    headers = [HOST, (b"content-type", MULTIPART.encode())]
    for number in range(300):
        chunk = part(body[: len(body) - 1 - number % 60], more=True)
        await server.gone(path, method="POST", headers=headers, body=[chunk, LEFT])
    assert (open_temporary_files(), app.seen) == (before, [])


@pytest.mark.parametrize("path", ["/kept", "/failing"])
async def test_b120_a_file_that_was_kept_cannot_be_read_after_its_request(path: str) -> None:
    app = make_app()
    body = multipart(("one", b"x" * MIB, "a"), ("two", b"small", "b"))
    answer = await post(Bare(app, app.ran), body, path)
    assert answer.status == {"/kept": 200, "/failing": 500}[path]
    for upload in app.seen:
        with pytest.raises(RuntimeError, match="closed, which happens at the end of its request"):
            await upload.read()


async def test_b120_a_view_that_is_cancelled_leaves_no_file() -> None:
    app = make_app()
    before = open_temporary_files()
    headers = [HOST, (b"content-type", MULTIPART.encode())]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, app, http_scope("/waiting", headers, method="POST"), [part(LARGE)])
        while not app.seen:
            await anyio.wait_all_tasks_blocked()
        assert open_temporary_files() == before + 2
        tasks.cancel_scope.cancel()
    assert open_temporary_files() == before
