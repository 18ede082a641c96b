"""What the tests of flaskr share: an application with two authors and a post, and who uses it."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flaskr import create_app
from flaskr.db import get_db, init_db, now
from flaskr.passwords import generate_password_hash

from erlen.sync import Erlen, test_client
from erlen.testing.blocking import BlockingClient

PASSWORD = "correct horse"


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    """The application with a database and folder of its own; bodies may have 64 KiB."""
    app = create_app(
        {
            "TESTING": True,
            "SECRET_KEY": "of the tests",
            "DATABASE": str(tmp_path / "flaskr.sqlite"),
            "IMAGE_FOLDER": str(tmp_path / "images"),
            "MAX_CONTENT_LENGTH": 64 * 1024,
        }
    )
    with app.app_context():
        init_db()
        db = get_db()
        password = generate_password_hash(PASSWORD, cost=2)
        authors = [("ada", password), ("bob", password)]
        db.executemany("INSERT INTO author (name, password) VALUES (?, ?)", authors)
        post = (1, "Tides", "Four numbers\n\na day.", now())
        db.execute("INSERT INTO post (author_id, title, body, written) VALUES (?, ?, ?, ?)", post)
        db.commit()
    return app


@pytest.fixture(params=["asyncio", "trio"])
def client(app: Erlen, request: pytest.FixtureRequest) -> Iterator[BlockingClient]:
    """A visitor."""
    with test_client(app, backend=request.param) as client:
        yield client


@pytest.fixture
def log_in(client: BlockingClient) -> Callable[[str], BlockingClient]:
    """Let the visitor log in under a name."""

    def log_in(name: str) -> BlockingClient:
        form = {"name": name, "password": PASSWORD}
        assert client.post("/auth/login", data=form).status_code == 303
        return client

    return log_in


@pytest.fixture
def ada(log_in: Callable[[str], BlockingClient]) -> BlockingClient:
    """The author of the post, logged in."""
    return log_in("ada")


@pytest.fixture
def bob(log_in: Callable[[str], BlockingClient]) -> BlockingClient:
    """The author of nothing, logged in."""
    return log_in("bob")


@pytest.fixture
def png() -> bytes:
    """An image of one pixel."""
    return base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    )
