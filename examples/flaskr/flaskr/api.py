"""The posts as JSON, for programs."""

import sqlite3
from typing import Any

from erlen.exceptions import HTTPException
from erlen.sync import Blueprint, ResponseReturnValue, jsonify, request, url_for
from flaskr.blog import find_post, find_posts

bp = Blueprint("api", __name__, url_prefix="/api")


@bp.get("/posts")
def list_posts() -> ResponseReturnValue:
    page = request.args.get("page", 1, type=int)
    posts, has_more = find_posts(page)
    following = url_for("api.list_posts", page=page + 1, _external=True) if has_more else None
    return jsonify(posts=[as_json(post) for post in posts], next=following)


@bp.get("/posts/<int:post_id>")
def show_post(post_id: int) -> ResponseReturnValue:
    return jsonify(as_json(find_post(post_id)))


@bp.errorhandler(HTTPException)
def answer_error(error: HTTPException) -> ResponseReturnValue:
    return jsonify(error=error.description), error.code or 500


def as_json(post: sqlite3.Row) -> dict[str, Any]:
    changed, image = post["changed"], post["image"]
    return {
        "id": post["id"],
        "url": url_for("blog.show", post_id=post["id"], _external=True),
        "title": post["title"],
        "body": post["body"],
        "author": post["author"],
        "written": post["written"].isoformat(),
        "changed": changed and changed.isoformat(),
        "image": image and url_for("blog.image", name=image, _external=True),
        "image_alt": post["image_alt"],
    }
