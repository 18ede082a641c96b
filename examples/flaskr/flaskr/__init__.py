"""Marginalia: a blog with accounts, forms, images and sqlite3, in plain def functions."""

from pathlib import Path
from typing import Any

from erlen.exceptions import HTTPException
from erlen.sync import Erlen, Response, ResponseReturnValue, render_template
from flaskr import api, auth, blog, db

#: Bytes of a request: a post with its image.
MAX_CONTENT_LENGTH = 4 * 1024 * 1024

#: All that the pages load lies on this host, and none of them has a script.
CONTENT_SECURITY_POLICY = "default-src 'self'; script-src 'none'; frame-ancestors 'none'"


def create_app(test_config: dict[str, Any] | None = None) -> Erlen:
    """Make the application.

    Args:
        test_config: Settings in place of those of the instance folder and of the environment.
    """
    app = Erlen(__name__, instance_relative_config=True)
    app.config.from_mapping(
        DATABASE=str(Path(app.instance_path, "flaskr.sqlite")),
        IMAGE_FOLDER=str(Path(app.instance_path, "images")),
        MAX_CONTENT_LENGTH=MAX_CONTENT_LENGTH,
    )
    if test_config is None:
        app.config.from_pyfile("config.py", silent=True)
        app.config.from_prefixed_env("FLASKR")
    else:
        app.config.from_mapping(test_config)

    db.init_app(app)
    app.register_blueprint(auth.bp)
    app.register_blueprint(blog.bp)
    app.register_blueprint(api.bp)
    app.register_error_handler(HTTPException, show_error)
    app.after_request(add_security_headers)
    return app


def show_error(error: HTTPException) -> ResponseReturnValue:
    """Put the page of the site in place of the plain one; what the status needs beside it stays."""
    response: Response = error.get_response()
    response.set_data(render_template("error.html", error=error))
    response.content_type = "text/html; charset=utf-8"
    return response


def add_security_headers(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response
