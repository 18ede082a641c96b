"""erlen, as its README writes views."""

from typing import Any

from erlen import Erlen

NAME = "erlen"
DISTRIBUTION = "erlen"
RECEIVES = False

plaintext = Erlen(__name__)
json = Erlen(__name__)
params = Erlen(__name__)


@plaintext.get("/")
async def hello() -> str:
    return "Hello, World!"


@json.get("/json")
async def user() -> dict[str, Any]:
    return {"id": 42, "name": "Ann", "active": True, "tags": ["a", "b"]}


@params.get("/users/<int:user_id>/posts/<slug>")
async def post(user_id: int, slug: str) -> str:
    return f"{user_id}:{slug}"
