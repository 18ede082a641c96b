"""Headers that many responses have in common."""

from typing import Any

import pytest

from erlen.wire.headers import Headers
from erlen.wire.ready_headers import ReadyHeaders

FIELDS = [("ETag", '"x"'), ("Content-Type", "text/plain"), ("Vary", "a"), ("vary", "b")]


def test_they_read_like_others() -> None:
    ready = ReadyHeaders(FIELDS)
    assert (ready["etag"], ready.get("VARY"), ready.get("gone")) == ('"x"', "a", None)
    assert ready.getlist("Vary") == ["a", "b"]
    assert ("content-type" in ready, list(ready)) == (True, FIELDS)
    assert ready == Headers(FIELDS)


def test_they_are_encoded_once() -> None:
    ready = ReadyHeaders(FIELDS)
    assert ready.raw() == Headers(FIELDS).raw()
    assert ready.raw() is ready.raw()


def test_what_is_left_of_them_is_remembered() -> None:
    ready = ReadyHeaders(FIELDS)
    names = frozenset({b"vary", b"etag"})
    assert ready.raw_without(names) == [(b"content-type", b"text/plain")]
    assert ready.raw_without(names) is ready.raw_without(names)


def test_they_are_checked() -> None:
    with pytest.raises(ValueError, match="control character"):
        ReadyHeaders([("X", "a\r\nb")])


@pytest.mark.parametrize(
    "change",
    [
        lambda ready: ready.set("ETag", '"y"'),
        lambda ready: ready.add("X", "y"),
        lambda ready: ready.remove("ETag"),
        lambda ready: ready.update({"X": "y"}),
        lambda ready: ready.__setitem__("X", "y"),
        lambda ready: ready.__delitem__("ETag"),
    ],
)
def test_they_cannot_be_changed_but_a_copy_can(change: Any) -> None:
    ready = ReadyHeaders(FIELDS)
    with pytest.raises(TypeError, match=r"cannot be changed. Change a copy"):
        change(ready)
    copy = ready.copy()
    change(copy)
    assert list(ready) == FIELDS != list(copy)
