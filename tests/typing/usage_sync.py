"""What type checkers must see of ``erlen.sync``; they check this file, nobody runs it: TY-1."""

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, assert_type

import erlen
from erlen.sync import (
    BlockingPart,
    BlockingRequest,
    BlockingUploadFile,
    BlockingWebSocket,
    Erlen,
    Response,
    ResponseReturnValue,
    current_app,
    flash,
    g,
    get_template_attribute,
    render_block,
    render_template,
    render_template_string,
    request,
    send_file,
    send_from_directory,
    stream_template,
    url_for,
    websocket,
)
from erlen.wire.headers import RequestHeaders
from erlen.wire.multidict import CombinedMultiDict, ImmutableMultiDict

app = Erlen(__name__)

assert_type(request, BlockingRequest)
assert_type(websocket, BlockingWebSocket)
assert_type(current_app, Erlen)
assert_type(g.anything, Any)


# --- a view -----------------------------------------------------------------------------------------


@app.post("/upload")
def upload() -> ResponseReturnValue:
    assert_type(request.form, ImmutableMultiDict[str, str])
    assert_type(request.form["x"], str)
    assert_type(request.form.get("n", type=int), int | None)
    assert_type(request.values, CombinedMultiDict[str, str])
    assert_type(request.args.get("a"), str | None)
    assert_type(request.headers, RequestHeaders)
    assert_type(request.method, str)
    assert_type(request.json, Any)
    assert_type(request.get_json(force=True), Any)
    assert_type(request.data, bytes)
    assert_type(request.get_data(), bytes)
    assert_type(request.get_data(as_text=True), str)
    assert_type(request.max_content_length, int | None)
    request.max_content_length = 1024
    flash("Saved")
    return render_template("page.html", name=request.form["name"])


def check_files(path: Path) -> None:
    file = request.files["x"]
    assert_type(file, BlockingUploadFile)
    assert_type(request.files.getlist("x"), list[BlockingUploadFile])
    assert_type(file.filename, str)
    assert_type(file.read(), bytes)
    assert_type(file.stream, BinaryIO)
    for line in file:
        assert_type(line, bytes)
    # mypy would not let anyone use the value of a function that returns nothing.
    saved: type[None] = type(file.save(path))  # type: ignore[func-returns-value]  # that is the test
    assert_type(saved, type[None])


def check_bytes() -> None:
    assert_type(request.stream, BufferedReader)
    for part in request.multipart():
        assert_type(part, BlockingPart)
        assert_type(part.text(), str)


# --- functions --------------------------------------------------------------------------------------


def check_functions() -> Response:
    assert_type(render_template("page.html", title="A", number=1), str)
    assert_type(render_template(["a.html", "b.html"]), str)
    assert_type(render_template_string("{{ a }}", a=1), str)
    assert_type(render_block("page.html", "list", items=[1]), str)
    assert_type(get_template_attribute("macros.html", "hello")("World"), Any)
    assert_type(url_for("upload"), str)
    assert_type(send_from_directory("files", "a.txt", as_attachment=True), Response)
    chunks: Iterator[str] = stream_template("page.html", rows=[1])
    for chunk in chunks:
        assert_type(chunk, str)
    return send_file("a.txt", download_name="b.txt", max_age=60)


def pages() -> Iterator[str]:
    return stream_template("page.html")


app.get("/pages")(pages)


# --- a WebSocket ------------------------------------------------------------------------------------


@app.websocket("/echo")
def echo() -> None:
    websocket.accept(subprotocol="chat")
    for message in websocket:
        assert_type(message, str | bytes)
        websocket.send(message)
    assert_type(websocket.receive_text(), str)
    assert_type(websocket.receive_json(), Any)
    assert_type(websocket.close_code, int | None)


# --- side by side -----------------------------------------------------------------------------------


async def check_other_side() -> None:
    assert_type(await erlen.request.form, ImmutableMultiDict[str, str])
