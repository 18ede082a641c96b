"""The posts as JSON."""

from datetime import UTC, datetime

import pytest
from flaskr.db import get_db, now

from erlen.sync import Erlen
from erlen.testing.blocking import BlockingClient


def test_posts_are_listed(client: BlockingClient) -> None:
    response = client.get("/api/posts")
    assert response.mimetype == "application/json"
    (post,) = response.json()["posts"]
    assert (post["id"], post["title"], post["author"]) == (1, "Tides", "ada")
    assert post["url"] == "http://localhost/posts/1"
    assert (post["image"], post["changed"]) == (None, None)


def test_moments_are_iso_8601(client: BlockingClient) -> None:
    written = client.get("/api/posts/1").json()["written"]
    assert datetime.fromisoformat(written) <= datetime.now(UTC)


def test_list_leads_to_its_next_page(app: Erlen, client: BlockingClient) -> None:
    with app.app_context():
        query = "INSERT INTO post (author_id, title, body, written) VALUES (1, 'x', 'x', ?)"
        get_db().executemany(query, [(now(),)] * 8)
        get_db().commit()
    first = client.get("/api/posts").json()
    second = client.get(first["next"]).json()
    assert [post["title"] for post in second["posts"]] == ["Tides"]
    assert second["next"] is None


@pytest.mark.parametrize("path", ["/api/posts?page=0", "/api/posts/7"])
def test_errors_are_json(client: BlockingClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.json()["error"].startswith("There is no ")
