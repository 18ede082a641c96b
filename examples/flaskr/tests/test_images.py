"""Images: which are taken, how they are kept and sent."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flaskr.images import kind_of

from erlen.sync import Erlen
from erlen.testing.blocking import BlockingClient

FORM = {"title": "Bread", "body": "Flour", "image_alt": "A loaf"}


def form(content: bytes, name: str = "loaf.png") -> dict[str, Any]:
    """Return a form with a file."""
    return {**FORM, "image": (BytesIO(content), name)}


def image_of(client: BlockingClient, post: str) -> str | None:
    url: str | None = client.get(f"/api{post}").json()["image"]
    return url


def saved(app: Erlen) -> list[Path]:
    return list(Path(app.config["IMAGE_FOLDER"]).iterdir())


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\r", "png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01", "jpg"),
        (b"GIF89a\x01\0\x01\0\0\0", "gif"),
        (b"RIFF\x24\0\0\0WEBP", "webp"),
        (b"RIFF\x24\0\0\0WAVE", None),
        (b"<svg xmlns='", None),
        (b"", None),
    ],
)
def test_kind_is_told_by_the_first_bytes(head: bytes, kind: str | None) -> None:
    assert kind_of(head) == kind


def test_image_is_shown_as_it_was_sent(ada: BlockingClient, png: bytes) -> None:
    post = ada.post("/posts/new", data=form(png)).location
    url = image_of(ada, post)
    assert url is not None
    assert f'src="{url.removeprefix("http://localhost")}" alt="A loaf"' in ada.get(post).text
    image = ada.get(url)
    assert (image.content, image.headers["content-type"]) == (png, "image/png")
    assert image.headers["cache-control"] == "public, max-age=31536000"


def test_name_of_the_file_is_our_own(app: Erlen, ada: BlockingClient, png: bytes) -> None:
    ada.post("/posts/new", data=form(png, "../../flaskr.html"))
    (file,) = saved(app)
    assert (len(file.stem), file.suffix) == (32, ".png")


@pytest.mark.parametrize("path", ["/posts/new", "/posts/1/edit"])
def test_text_is_no_image(app: Erlen, ada: BlockingClient, path: str) -> None:
    response = ada.post(path, data=form(b"<html>not an image</html>", "page.png"))
    assert response.status_code == 422
    assert "The file is no image." in response.text
    assert saved(app) == []


def test_image_that_is_too_large_is_refused(app: Erlen, ada: BlockingClient, png: bytes) -> None:
    response = ada.post("/posts/new", data=form(png + bytes(64 * 1024)))
    assert response.status_code == 413
    assert "may have 64.0 KiB together" in response.text
    assert saved(app) == []


def test_image_stays_when_the_text_is_changed(ada: BlockingClient, png: bytes) -> None:
    ada.post("/posts/1/edit", data=form(png))
    before = image_of(ada, "/posts/1")
    ada.post("/posts/1/edit", data=form(b"", ""))
    assert before is not None
    assert image_of(ada, "/posts/1") == before


def test_image_is_replaced(app: Erlen, ada: BlockingClient, png: bytes) -> None:
    ada.post("/posts/1/edit", data=form(png))
    ada.post("/posts/1/edit", data=form(b"GIF89a" + bytes(20)))
    assert [file.suffix for file in saved(app)] == [".gif"]


def test_image_is_removed(app: Erlen, ada: BlockingClient, png: bytes) -> None:
    ada.post("/posts/1/edit", data=form(png))
    ada.post("/posts/1/edit", data={**FORM, "remove_image": "on"})
    assert image_of(ada, "/posts/1") is None
    assert saved(app) == []


def test_image_goes_with_its_post(app: Erlen, ada: BlockingClient, png: bytes) -> None:
    ada.post("/posts/1/edit", data=form(png))
    assert len(saved(app)) == 1
    ada.post("/posts/1/delete")
    assert saved(app) == []


@pytest.mark.parametrize("name", ["nothing.png", "..%2fflaskr.sqlite", "%2e%2e/flaskr.sqlite"])
def test_nothing_else_is_sent(client: BlockingClient, name: str) -> None:
    assert client.get(f"/images/{name}").status_code == 404
