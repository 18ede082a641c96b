"""Templates and files of ``def`` views."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erlen import Erlen, Response
from erlen.exceptions import NotFound
from erlen.sync import (
    get_template_attribute,
    render_block,
    render_template,
    render_template_string,
    send_file,
    send_from_directory,
    stream_template,
    stream_template_string,
)

_TEMPLATES = {
    "page.html": "<title>{{ title }}</title>{% block list %}<li>{{ title }}</li>{% endblock %}",
    "macros.html": "{% macro hello(name) %}Hello {{ name }}{% endmacro %}{% set number = 7 %}",
}


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    for name, source in _TEMPLATES.items():
        (tmp_path / name).write_text(source)
    (tmp_path / "data.txt").write_text("0123456789")
    return Erlen("shop", root_path=str(tmp_path), template_folder=".", static_folder=None)


async def text_of(app: Erlen, view: Any, **headers: str) -> str:
    """Return the body of what *view* answers."""
    app.get("/", endpoint="view")(view)
    response = await app.test_client().get("/", headers=headers)
    return f"{response.status_code} {response.text}"


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (lambda: render_template("page.html", title="A"), "<title>A</title><li>A</li>"),
        (lambda: render_template(["none.html", "page.html"]), "<title></title><li></li>"),
        (lambda: render_template_string("{{ a }} {{ name }}", a=1, name="<"), "1 &lt;"),
        (lambda: render_block("page.html", "list", title="A"), "<li>A</li>"),
        (lambda: stream_template("page.html", title="A"), "<title>A</title><li>A</li>"),
        (lambda: stream_template_string("{{ function }}", function=1), "1"),
        (lambda: get_template_attribute("macros.html", "hello")("World"), "Hello World"),
        (lambda: str(get_template_attribute("macros.html", "number")), "7"),
        (lambda: send_file("data.txt"), "0123456789"),
        (lambda: send_from_directory(".", "data.txt"), "0123456789"),
    ],
)
async def test_it_is_what_the_view_returns(app: Erlen, view: Any, expected: str) -> None:
    assert await text_of(app, view) == f"200 {expected}"


async def test_stream_is_a_plain_iterator_that_can_be_closed(app: Erlen) -> None:
    def view() -> str:
        chunks: Iterator[str] = stream_template("page.html", title="A")
        text = "".join(chunks)
        stream = stream_template("page.html", title="B")
        next(stream)
        stream.close()
        return text

    assert await text_of(app, view) == "200 <title>A</title><li>A</li>"


async def test_errors_are_raised_in_the_view(app: Erlen) -> None:
    def view() -> str:
        with pytest.raises(NotFound):
            send_from_directory(".", "../secret.txt")
        with pytest.raises(LookupError, match="no block 'none'"):
            render_block("page.html", "none")
        return "went on"

    assert await text_of(app, view) == "200 went on"


async def test_ranges_work_as_ever(app: Erlen) -> None:
    def view() -> Response:
        return send_file("data.txt", as_attachment=True, download_name="a.txt")

    assert await text_of(app, view, range="bytes=2-4") == "206 234"


async def test_def_context_processors_run_in_the_thread_of_the_view(app: Erlen) -> None:
    """SY-2"""

    @app.context_processor
    def variables() -> dict[str, Any]:
        return {"thread": threading.get_ident()}

    def view() -> list[str]:
        return [render_template_string("{{ thread }}"), str(threading.get_ident())]

    app.get("/")(view)
    first, second = (await app.test_client().get("/")).json()
    assert first == second


def test_names_tell_what_their_originals_tell() -> None:
    assert render_template.__name__ == "render_template"
    assert (send_file.__doc__ or "").startswith("Return a response with the content of a file.")
