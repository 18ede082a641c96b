"""Posts: reading and writing."""

import pytest
from flaskr.db import get_db, now

from erlen.sync import Erlen
from erlen.testing.blocking import BlockingClient

FORM = {"title": "Bread", "body": "Flour,\nwater.\n\nTime.", "image_alt": ""}


def test_index_shows_posts(client: BlockingClient) -> None:
    page = client.get("/").text
    assert '<a href="/posts/1">Tides</a>' in page
    assert "Write" not in page


def test_index_has_pages(app: Erlen, client: BlockingClient) -> None:
    with app.app_context():
        rows = [(f"No. {number}", now()) for number in range(2, 10)]
        query = "INSERT INTO post (author_id, title, body, written) VALUES (1, ?, '', ?)"
        get_db().executemany(query, rows)
        get_db().commit()
    first, second = client.get("/").text, client.get("/?page=2").text
    assert "No. 9" in first
    assert 'rel="next" href="/?page=2"' in first
    assert "Tides" in second
    assert 'rel="prev" href="/?page=1"' in second
    assert "rel=" not in second.partition('rel="prev"')[2]


@pytest.mark.parametrize("page", ["0", "-1", "10001"])
def test_page_that_cannot_be_is_not_found(client: BlockingClient, page: str) -> None:
    assert client.get(f"/?page={page}").status_code == 404


def test_post_has_paragraphs(client: BlockingClient) -> None:
    page = client.get("/posts/1").text
    assert "<h1>Tides</h1>" in page
    assert "<p>Four numbers</p>" in page
    assert "<p>a day.</p>" in page


@pytest.mark.parametrize("number", ["2", "9223372036854775807", "9999999999999999999", "x"])
def test_post_that_does_not_exist_is_not_found(client: BlockingClient, number: str) -> None:
    assert client.get(f"/posts/{number}").status_code == 404


@pytest.mark.parametrize("path", ["/posts/new", "/posts/1/edit"])
def test_visitor_logs_in_and_comes_back(client: BlockingClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.location) == (303, f"/auth/login?next={path}")


@pytest.mark.parametrize("path", ["/posts/new", "/posts/1/edit", "/posts/1/delete"])
def test_visitor_changes_nothing(client: BlockingClient, path: str) -> None:
    response = client.post(path, data=FORM)
    assert (response.status_code, response.location) == (303, "/auth/login")
    assert len(client.get("/api/posts").json()["posts"]) == 1
    assert client.get("/api/posts/1").json()["title"] == "Tides"


def test_post_is_published(ada: BlockingClient) -> None:
    response = ada.post("/posts/new", data=FORM)
    assert (response.status_code, response.location) == (303, "/posts/2")
    page = ada.get("/posts/2").text
    assert "Your post is out." in page
    assert "<p>Flour,\nwater.</p>" in page


@pytest.mark.parametrize("path", ["/posts/new", "/posts/1/edit"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"title": " "}, "A post needs a title."),
        ({"title": "x" * 121}, "A title has at most 120 characters."),
        ({"body": "\r\n"}, "A post needs some text."),
    ],
)
def test_form_says_what_is_wrong_and_keeps_the_rest(
    ada: BlockingClient, path: str, change: dict[str, str], problem: str
) -> None:
    response = ada.post(path, data={**FORM, "image_alt": "A loaf", **change})
    assert response.status_code == 422
    assert problem in response.text
    assert 'value="A loaf"' in response.text
    assert "Tides" in ada.get("/").text


def test_markup_is_shown_as_text(ada: BlockingClient) -> None:
    ada.post("/posts/new", data={**FORM, "title": "<script>", "body": "<b>bold</b>"})
    for page in ("/", "/posts/2", "/posts/2/edit"):
        text = ada.get(page).text
        assert "&lt;script&gt;" in text
        assert "<script>" not in text
        assert "<b>" not in text


def test_form_of_a_post_shows_what_it_says(ada: BlockingClient) -> None:
    page = ada.get("/posts/1/edit").text
    assert 'value="Tides"' in page
    assert "\nFour numbers\n\na day.</textarea>" in page


def test_post_is_changed(ada: BlockingClient) -> None:
    assert ada.post("/posts/1/edit", data=FORM).location == "/posts/1"
    page = ada.get("/posts/1").text
    assert "<h1>Bread</h1>" in page
    assert "changed <time" in page


def test_post_is_deleted(ada: BlockingClient) -> None:
    assert ada.post("/posts/1/delete").location == "/"
    assert "“Tides” is gone." in ada.get("/").text
    assert ada.get("/posts/1").status_code == 404


def test_only_the_author_sees_how_to_change(ada: BlockingClient) -> None:
    assert "/posts/1/edit" in ada.get("/posts/1").text
    ada.post("/auth/logout")
    assert "/posts/1/edit" not in ada.get("/posts/1").text


@pytest.mark.parametrize("path", ["/posts/1/edit", "/posts/1/delete"])
def test_only_the_author_changes(bob: BlockingClient, path: str) -> None:
    response = bob.post(path, data=FORM)
    assert response.status_code == 403
    assert "Only ada may change this post." in response.text
    assert "Tides" in bob.get("/posts/1").text


@pytest.mark.parametrize("path", ["/posts/7/edit", "/posts/7/delete"])
def test_post_to_change_must_exist(ada: BlockingClient, path: str) -> None:
    assert ada.post(path, data=FORM).status_code == 404
