"""What is asked of every application, and the one answer that counts."""

import json
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """One kind of request.

    Attributes:
        name: Name of the application in each module of ``apps``.
        title: What the report calls it.
        paths: What is asked for, in turn.
        content_type: Of the answer, letter for letter.
        body: Path → the body expected, as :attr:`read` gives it.
        read: Body → what is compared; JSON is compared by value, its spaces are free.
    """

    name: str
    title: str
    paths: tuple[str, ...]
    content_type: str
    body: Callable[[str], object]
    read: Callable[[bytes], object] = bytes.decode


def _post_of(path: str) -> str:
    _, _, user_id, _, slug = path.split("/")
    return f"{user_id}:{slug}"


SCENARIOS = (
    Scenario(
        "plaintext", "Plaintext", ("/",), "text/html; charset=utf-8", lambda _: "Hello, World!"
    ),
    Scenario(
        "json",
        "JSON: a dict of four members, each framework's default codec",
        ("/json",),
        "application/json",
        lambda _: {"id": 42, "name": "Ann", "active": True, "tags": ["a", "b"]},
        json.loads,
    ),
    Scenario(
        "params",
        "Path parameters: an int and a string, 5,000 different URLs in turn",
        tuple(f"/users/{number}/posts/post-{number * 7919 % 5000}" for number in range(5000)),
        "text/html; charset=utf-8",
        _post_of,
    ),
)
