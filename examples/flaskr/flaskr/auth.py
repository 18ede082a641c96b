"""Accounts: who may write."""

import functools
import re
import sqlite3
from collections.abc import Callable
from typing import ParamSpec

from erlen.sync import (
    Blueprint,
    ResponseReturnValue,
    flash,
    g,
    redirect,
    redirect_local,
    render_template,
    request,
    session,
    url_for,
)
from flaskr.db import get_db
from flaskr.passwords import NOBODY, check_password_hash, generate_password_hash

P = ParamSpec("P")

NAME = re.compile(r"\w[\w.-]{1,29}")
SHORTEST_PASSWORD = 8

bp = Blueprint("auth", __name__, url_prefix="/auth")


@bp.before_app_request
def load_author() -> None:
    """Put the row of who is logged in into ``g.author``, ``None`` for a visitor."""
    author_id = session.get("author_id")
    g.author = None
    if author_id is not None:
        query = "SELECT id, name FROM author WHERE id = ?"
        g.author = get_db().execute(query, (author_id,)).fetchone()


def login_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Send visitors to the login, and from there back to where they wanted to go."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if g.author is None:
            flash("Log in to do that.", "info")
            wanted = request.path if request.method == "GET" else None
            return redirect(url_for("auth.login", next=wanted))
        return view(*args, **kwargs)

    return guarded


@bp.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("auth/register.html")
    name, password = request.form["name"].strip(), request.form["password"]
    problem = refuse_name(name) or refuse_password(password)
    if problem is None:
        db = get_db()
        try:
            new = db.execute(
                "INSERT INTO author (name, password) VALUES (?, ?)",
                (name, generate_password_hash(password)),
            )
            db.commit()
        except sqlite3.IntegrityError:
            problem = f"The name {name} is taken."
        else:
            begin_session(new.lastrowid)
            flash(f"Welcome, {name}. The first page is yours.", "success")
            return redirect(url_for("blog.create"))
    flash(problem, "error")
    return render_template("auth/register.html"), 422


def refuse_name(name: str) -> str | None:
    if NAME.fullmatch(name):
        return None
    return "A name has 2 to 30 letters, digits, dots, hyphens or underscores."


def refuse_password(password: str) -> str | None:
    if len(password) >= SHORTEST_PASSWORD:
        return None
    return f"A password has {SHORTEST_PASSWORD} characters or more."


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("auth/login.html")
    query = "SELECT id, name, password FROM author WHERE name = ?"
    author = get_db().execute(query, (request.form["name"].strip(),)).fetchone()
    stored = author["password"] if author else NOBODY
    if not check_password_hash(stored, request.form["password"]):
        flash("The name or the password is wrong.", "error")
        return render_template("auth/login.html"), 422
    begin_session(author["id"])
    flash(f"Good to see you, {author['name']}.", "success")
    return redirect_local(request.args.get("next"), url_for("blog.index"))


def begin_session(author_id: int | None) -> None:
    """Log in; nothing of the session before stays."""
    session.clear()
    session["author_id"] = author_id


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Log out; the next login need not ask for the name."""
    name = g.author["name"] if g.author else None
    session.clear()
    if name:
        session["last_name"] = name
    flash("You are logged out.", "info")
    return redirect(url_for("blog.index"))
