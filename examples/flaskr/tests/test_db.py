"""The database, and the command that makes it."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flaskr import create_app
from flaskr.db import get_db, init_db, now

from erlen.sync import Erlen


def test_one_context_has_one_connection(app: Erlen) -> None:
    with app.app_context():
        assert get_db() is get_db()


def test_connection_is_closed_with_its_context(app: Erlen) -> None:
    with app.app_context():
        db = get_db()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        db.execute("SELECT 1")


def test_moments_are_read_as_they_were_written(app: Erlen) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    with app.app_context():
        get_db().execute("UPDATE post SET changed = ?", (now(),))
        changed = get_db().execute("SELECT changed FROM post").fetchone()["changed"]
    assert before <= changed <= datetime.now(UTC)


def test_post_without_an_author_is_refused(app: Erlen) -> None:
    with app.app_context(), pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        get_db().execute("UPDATE post SET author_id = 7")


def test_tables_that_exist_stay(app: Erlen) -> None:
    with app.app_context():
        init_db()
        assert get_db().execute("SELECT title FROM post").fetchone()["title"] == "Tides"


def test_command_makes_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "new" / "flaskr.sqlite"
    folder = str(tmp_path / "images")
    app = create_app({"DATABASE": str(path), "IMAGE_FOLDER": folder, "SECRET_KEY": "given"})
    result = app.test_cli_runner().invoke(args=["init-db"])
    assert result.output == f"The database is {path}.\n"
    with app.app_context():
        assert get_db().execute("SELECT count(*) FROM post").fetchone()[0] == 0


def test_command_makes_a_secret_key_once(app: Erlen, tmp_path: Path) -> None:
    app.instance_path = str(tmp_path / "instance")
    app.config["SECRET_KEY"] = None
    app.test_cli_runner().invoke(args=["init-db"])
    app.config.from_pyfile(tmp_path / "instance" / "config.py")
    key = app.config["SECRET_KEY"]
    assert len(key) == 64
    app.test_cli_runner().invoke(args=["init-db"])
    assert (tmp_path / "instance" / "config.py").read_text() == f'SECRET_KEY = "{key}"\n'
