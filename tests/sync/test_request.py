"""``request`` of ``erlen.sync``: what ``def`` views read of a body: SY-3."""

import io
import zipfile
from typing import Any

import pytest

from erlen import Erlen, Request
from erlen.exceptions import OutsideContextError, RequestEntityTooLarge
from erlen.sync import BlockingRequest, BlockingUploadFile, jsonify, request
from erlen.sync.request import _Waiting
from tests.exchange.wire import LEFT, feed, scope_of


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


async def answer(app: Erlen, view: Any, **options: Any) -> Any:
    """Return the response of *view* to a POST."""
    app.post("/", endpoint="view")(view)
    return await app.test_client().post("/", **options)


# --- forms ------------------------------------------------------------------------------------------


async def test_form_values_and_files(app: Erlen) -> None:
    def view() -> dict[str, Any]:
        file = request.files["photo"]
        return {
            "form": request.form["name"], "values": [request.values["q"], request.values["name"]],
            "file": [file.filename, file.read().decode()], "type": type(file).__name__,
        }  # fmt: skip

    files = {"photo": ("a.txt", b"bytes")}
    got = (await answer(app, view, query_string="q=1", data={"name": "tea"}, files=files)).json()
    assert got["form"] == "tea"
    assert got["values"] == ["1", "tea"]
    assert got["file"] == ["a.txt", "bytes"]
    assert got["type"] == "BlockingUploadFile"


async def test_objects_are_the_same_each_time(app: Erlen) -> None:
    def view() -> list[bool]:
        return [
            request.form is request.form,
            request.files is request.files,
            request.files["photo"] is request.files["photo"],
            request.stream is request.stream,
        ]

    response = await answer(app, view, files={"photo": ("a.txt", b"bytes")})
    assert response.json() == [True] * 4


async def test_missing_field_is_400(app: Erlen) -> None:
    response = await answer(app, lambda: request.form["name"], data={"other": "1"})
    assert response.status_code == 400


async def test_file_that_came_as_text_is_explained_in_debug_mode(app: Erlen) -> None:
    app.debug = True

    def view() -> str:
        try:
            return str(request.files["photo"])
        except KeyError as error:
            return str(getattr(error, "description", ""))

    response = await answer(app, view, data={"photo": "a.txt"})
    assert 'enctype="multipart/form-data"' in response.text


async def test_parts_are_read_as_they_arrive(app: Erlen) -> None:
    def view() -> list[Any]:
        parts = []
        for part in request.multipart():
            content: Any = part.text() if part.filename is None else b"".join(part).decode()
            parts.append([part.name, part.filename, part.raw_filename, content, repr(part)])
        return parts

    files = {"photo": ("a.txt", b"bytes")}
    assert (await answer(app, view, data={"name": "tea"}, files=files)).json() == [
        ["name", None, None, "tea", "<Part 'name'>"],
        ["photo", "a.txt", "a.txt", "bytes", "<Part 'photo' (file 'a.txt')>"],
    ]


async def test_part_can_be_read_at_once_up_to_a_size(app: Erlen) -> None:
    def view() -> list[Any]:
        sizes: list[Any] = []
        for part in request.multipart():
            try:
                sizes.append(len(part.read(3)))
            except RequestEntityTooLarge:
                sizes.append("too large")
        return sizes

    files = {"small": ("a", b"abc"), "large": ("b", b"abcd")}
    assert (await answer(app, view, files=files)).json() == [3, "too large"]


# --- JSON and bytes ---------------------------------------------------------------------------------


async def test_json_and_data(app: Erlen) -> None:
    def view() -> list[Any]:
        return [
            request.json,
            request.get_json() is request.json,
            request.get_data(as_text=True),
            request.get_data().decode(),
            request.data.decode(),
        ]

    got = (await answer(app, view, json={"a": 1})).json()
    assert got == [{"a": 1}, True, *['{"a":1}'] * 3]


async def test_wrong_type_is_415_and_silent_is_none(app: Erlen) -> None:
    def view() -> list[Any]:
        return [request.get_json(silent=True), request.get_json(force=True)]

    assert (await answer(app, view, content=b"[1]")).json() == [None, [1]]
    app = Erlen("shop")
    assert (await answer(app, lambda: request.json, content=b"[1]")).status_code == 415


async def test_get_data_can_read_a_form(app: Erlen) -> None:
    def view() -> list[Any]:
        return [request.get_data(parse_form_data=True).decode(), request.form["a"]]

    assert (await answer(app, view, data={"a": "1"})).json() == ["", "1"]


async def test_limit_that_the_view_sets_is_obeyed(app: Erlen) -> None:
    def view() -> bytes:
        request.max_content_length = 3
        return request.get_data()

    assert (await answer(app, view, content=b"1234")).status_code == 413


# --- the stream -------------------------------------------------------------------------------------


async def test_stream_reads_sizes_lines_and_the_rest(app: Erlen) -> None:
    def view() -> list[str]:
        stream = request.stream
        assert isinstance(stream, io.BufferedIOBase)
        read = [stream.read(2), stream.readline(), *stream, stream.read()]
        return [each.decode() for each in read]

    response = await answer(app, view, content=b"abcd\nef\ngh")
    assert response.json() == ["ab", "cd\n", "ef\n", "gh", ""]


@pytest.mark.parametrize("size", [1, 7, 70_000])
async def test_stream_gives_every_byte_once(app: Erlen, size: int) -> None:
    content = bytes(range(256)) * 1000

    def view() -> list[int]:
        read = b"".join(iter(lambda: request.stream.read(size), b""))
        assert read == content
        return [len(read)]

    async def chunks() -> Any:
        for start in range(0, len(content), 50_000):
            yield content[start : start + 50_000]

    assert (await answer(app, view, content=chunks())).json() == [256_000]


async def test_stream_over_the_limit_raises_where_it_is_read(app: Erlen) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 3

    def view() -> bytes:
        return request.stream.read()

    response = await answer(app, view, content=b"1234")
    assert response.status_code == 413


async def test_stream_serves_a_library_that_wants_a_file(app: Erlen) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "bytes")

    def view() -> bytes:
        with zipfile.ZipFile(io.BytesIO(request.stream.read())) as archive:
            return archive.read("a.txt")

    assert (await answer(app, view, content=packed.getvalue())).text == "bytes"


# --- everything else is the request's own -----------------------------------------------------------


async def test_synchronous_names_are_those_of_the_request(app: Erlen) -> None:
    class OwnRequest(Request):
        @property
        def remote_addr(self) -> str:
            return "overridden"

    app.request_class = OwnRequest

    def view() -> Any:
        return jsonify(
            [request.method, request.args["q"], request.headers["x-a"], request.remote_addr]
        )

    response = await answer(app, view, query_string="q=1", headers={"x-a": "b"})
    assert response.json() == ["POST", "1", "b", "overridden"]


async def test_proxy_takes_the_place_of_the_request(app: Erlen) -> None:
    def view() -> list[bool]:
        other: Any = request
        return [isinstance(other, Request), repr(other).startswith("<Request"), bool(other)]

    assert (await answer(app, view)).json() == [True, True, True]


async def test_close_closes_the_files(app: Erlen) -> None:
    def view() -> str:
        file: BlockingUploadFile = request.files["photo"]
        request.close()
        with pytest.raises(RuntimeError, match="it was closed"):
            file.read()
        return "closed"

    assert (await answer(app, view, files={"photo": ("a", b"b")})).text == "closed"


def test_outside_of_a_request_it_stands_for_nothing() -> None:
    assert repr(request) == "<unbound request>"
    with pytest.raises(OutsideContextError, match="'request' stands for nothing here"):
        _ = request.form


def test_every_name_of_a_request_is_here_too() -> None:
    """Awaited ones block; ``body`` is the one that is only awaited: ``stream`` is in its place.

    A ``def`` function is not cancelled while it runs, so there is nothing to ``shield``.
    """
    awaited = {"form", "files", "values", "data", "json", "get_json", "get_data", "close"}
    own = {name for name in vars(_Waiting) if not name.startswith("_")}
    others = {"multipart", "stream", "start_soon", "is_disconnected", "wait_disconnected"}
    ahead = {"send_early_hints", "send_push_promise"}
    assert own == awaited | others | ahead
    typed = {*dir(BlockingRequest), *BlockingRequest.__annotations__}
    names = {name for name in dir(Request) if not name.startswith("_")}
    assert names - typed == {"body", "on_json_loading_failed", "shield"}


async def test_a_def_view_asks_whether_its_client_is_there(app: Erlen) -> None:
    messages = [{"type": "http.request", "body": b"", "more_body": False}, LEFT]
    answers: list[bool] = []

    def view() -> str:
        answers.append(request.is_disconnected)
        request.wait_disconnected()
        answers.append(request.is_disconnected)
        return ""

    async def send(_message: Any) -> None: ...

    app.get("/")(view)
    await app(scope_of(), feed(*messages), send)
    assert answers == [False, True]
