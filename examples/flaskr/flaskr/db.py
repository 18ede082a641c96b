"""The database: one sqlite3 connection for each request, and the command that makes the tables."""

import secrets
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import click

from erlen.sync import Erlen, current_app, g


def get_db() -> sqlite3.Connection:
    """Return the connection of this request, which is opened when it is first asked for."""
    if "db" not in g:
        g.db = connect(current_app.config["DATABASE"])
    connection: sqlite3.Connection = g.db
    return connection


def connect(path: str) -> sqlite3.Connection:
    """Open a database whose rows have names and whose MOMENT columns are datetimes in UTC."""
    connection = sqlite3.connect(path, detect_types=sqlite3.PARSE_DECLTYPES)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def close_db(_error: BaseException | None = None) -> None:
    connection = g.pop("db", None)
    if connection is not None:
        connection.close()


def now() -> str:
    """Return this moment as it is stored."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


sqlite3.register_converter("MOMENT", lambda text: datetime.fromisoformat(text.decode()))


def init_db() -> None:
    """Make the folders and those tables that do not exist yet."""
    Path(current_app.config["DATABASE"]).parent.mkdir(parents=True, exist_ok=True)
    Path(current_app.config["IMAGE_FOLDER"]).mkdir(parents=True, exist_ok=True)
    with current_app.open_resource("schema.sql", "r") as schema:
        get_db().executescript(schema.read())


def write_secret_key() -> None:
    """Write a key for the sessions into the configuration of this instance, unless there is one."""
    if current_app.config["SECRET_KEY"] is None:
        folder = Path(current_app.instance_path)
        folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath("config.py").touch(mode=0o600)
        with folder.joinpath("config.py").open("a") as config:
            config.write(f'SECRET_KEY = "{secrets.token_hex()}"\n')


def init_app(app: Erlen) -> None:
    app.teardown_appcontext(close_db)

    @app.cli.command("init-db")
    def init_db_command() -> None:
        """Make the tables and a secret key; what exists stays."""
        write_secret_key()
        init_db()
        click.echo(f"The database is {current_app.config['DATABASE']}.")
