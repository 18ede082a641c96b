"""The scope and body of ``app.test_request_context``: CX-9."""

import io
from typing import Any

import pytest

from erlen import Erlen
from erlen.testing.request_context import request_scope


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


def test_cx9_scope_is_the_one_of_a_served_request(app: Erlen) -> None:
    scope, body = request_scope(app, "/a%20b?c=d", method="PUT")
    facts = [scope[key] for key in ("type", "method", "path", "query_string", "root_path")]
    assert facts == ["http", "PUT", "/a b", b"c=d", ""]
    assert (dict(scope["headers"])[b"host"], body) == (b"localhost", b"")


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"json": {"a": [1]}}, b'{"a":[1]}'),
        ({"data": {"a": "b c"}}, b"a=b+c"),
        ({"data": io.BytesIO(b"raw")}, b"raw"),
        ({"content": "text"}, b"text"),
    ],
)
def test_cx9_body_is_whole(app: Erlen, options: dict[str, Any], body: bytes) -> None:
    scope, found = request_scope(app, method="POST", **options)
    assert found == body
    assert dict(scope["headers"])[b"content-length"] == str(len(body)).encode()


def test_cx9_files_make_a_multipart_body(app: Erlen) -> None:
    data = {"file": (io.BytesIO(b"content"), "name.txt")}
    scope, body = request_scope(app, method="POST", data=data)
    assert dict(scope["headers"])[b"content-type"].startswith(b"multipart/form-data; boundary=")
    assert b"content" in body


def test_cx9_query_given_twice_is_refused(app: Erlen) -> None:
    with pytest.raises(ValueError, match="Give it once"):
        request_scope(app, "/?a=1", query_string={"a": "2"})
