"""Posts: read by everybody, changed by their authors."""

import sqlite3
from datetime import datetime
from typing import NamedTuple

from erlen.sync import (
    Blueprint,
    ResponseReturnValue,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from flaskr import images
from flaskr.auth import login_required
from flaskr.db import get_db, now

LONGEST_TITLE = 120
POSTS_PER_PAGE = 8
LAST_PAGE = 10_000
YEAR = 365 * 24 * 60 * 60

POSTS = "SELECT post.*, author.name AS author FROM post JOIN author ON author.id = author_id"

bp = Blueprint("blog", __name__)


# --- reading --------------------------------------------------------------------------------------


@bp.get("/")
def index() -> ResponseReturnValue:
    page = request.args.get("page", 1, type=int)
    posts, has_more = find_posts(page)
    return render_template("blog/index.html", posts=posts, page=page, has_more=has_more)


@bp.get("/posts/<int:post_id>")
def show(post_id: int) -> ResponseReturnValue:
    return render_template("blog/show.html", post=find_post(post_id))


@bp.get("/images/<name>")
def image(name: str) -> ResponseReturnValue:
    """Send an image; browsers may keep it, for its name never gets another content."""
    return send_from_directory(current_app.config["IMAGE_FOLDER"], name, max_age=YEAR)


def find_posts(page: int) -> tuple[list[sqlite3.Row], bool]:
    """Return the posts of a page, the newest first, and whether there are older ones; or abort."""
    if not 1 <= page <= LAST_PAGE:
        abort(404, f"There is no page {page}.")
    query = f"{POSTS} ORDER BY written DESC, post.id DESC LIMIT ? OFFSET ?"
    window = (POSTS_PER_PAGE + 1, (page - 1) * POSTS_PER_PAGE)
    posts = get_db().execute(query, window).fetchall()
    return posts[:POSTS_PER_PAGE], len(posts) > POSTS_PER_PAGE


def find_post(post_id: int) -> sqlite3.Row:
    """Return a post or abort."""
    query = f"{POSTS} WHERE post.id = ?"
    post: sqlite3.Row | None = get_db().execute(query, (post_id,)).fetchone()
    if post is None:
        abort(404, "There is no such post. Perhaps its author took it back.")
    return post


def find_own_post(post_id: int) -> sqlite3.Row:
    """Return a post of who is logged in, or abort."""
    post = find_post(post_id)
    if post["author_id"] != g.author["id"]:
        abort(403, f"Only {post['author']} may change this post.")
    return post


# --- writing --------------------------------------------------------------------------------------


class Draft(NamedTuple):
    """What the form of a post says."""

    title: str
    body: str
    image_alt: str


@bp.route("/posts/new", methods=["GET", "POST"])
@login_required
def create() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("blog/form.html", post=None)
    try:
        draft = read_draft()
        new_image = save_image()
    except ValueError as problem:
        flash(str(problem), "error")
        return render_template("blog/form.html", post=None), 422
    db = get_db()
    new = db.execute(
        "INSERT INTO post (author_id, title, body, image_alt, image, written)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (g.author["id"], *draft, new_image, now()),
    )
    db.commit()
    flash("Your post is out.", "success")
    return redirect(url_for("blog.show", post_id=new.lastrowid))


@bp.route("/posts/<int:post_id>/edit", methods=["GET", "POST"])
@login_required
def update(post_id: int) -> ResponseReturnValue:
    post = find_own_post(post_id)
    if request.method == "GET":
        return render_template("blog/form.html", post=post)
    try:
        draft = read_draft()
        new_image = save_image()
    except ValueError as problem:
        flash(str(problem), "error")
        return render_template("blog/form.html", post=post), 422
    is_replaced = new_image is not None or "remove_image" in request.form
    db = get_db()
    db.execute(
        "UPDATE post SET title = ?, body = ?, image_alt = ?, image = ?, changed = ? WHERE id = ?",
        (*draft, new_image if is_replaced else post["image"], now(), post_id),
    )
    db.commit()
    if is_replaced:
        images.remove(post["image"], current_app.config["IMAGE_FOLDER"])
    flash("Your changes are saved.", "success")
    return redirect(url_for("blog.show", post_id=post_id))


@bp.post("/posts/<int:post_id>/delete")
@login_required
def delete(post_id: int) -> ResponseReturnValue:
    post = find_own_post(post_id)
    db = get_db()
    db.execute("DELETE FROM post WHERE id = ?", (post_id,))
    db.commit()
    images.remove(post["image"], current_app.config["IMAGE_FOLDER"])
    flash(f"“{post['title']}” is gone.", "info")
    return redirect(url_for("blog.index"))


def read_draft() -> Draft:
    """Return what the form says.

    Raises:
        ValueError: A sentence for the author: what is missing, or too long.
    """
    draft = Draft(*(request.form[name].strip() for name in Draft._fields))
    if not draft.title:
        raise ValueError("A post needs a title.")
    if len(draft.title) > LONGEST_TITLE:
        raise ValueError(f"A title has at most {LONGEST_TITLE} characters.")
    if not draft.body:
        raise ValueError("A post needs some text.")
    return draft


def save_image() -> str | None:
    """Save the image of the form and return its name, ``None`` when none was chosen.

    Raises:
        ValueError: A sentence for the author: the file is no image.
    """
    upload = request.files.get("image")
    return images.save(upload, current_app.config["IMAGE_FOLDER"]) if upload else None


# --- for the templates ----------------------------------------------------------------------------


@bp.app_template_filter("day")
def day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


@bp.app_template_filter("paragraphs")
def paragraphs(text: str) -> list[str]:
    """Split a text where lines are empty."""
    lines = "\n".join(line.strip() for line in text.splitlines())
    return [part.strip("\n") for part in lines.split("\n\n") if part.strip()]
