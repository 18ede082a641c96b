"""The ASGI scope of a WSGI request."""

from typing import Any

import pytest

from erlen.wsgi.environ import environ_of
from erlen.wsgi.scope import scope_of
from tests.exchange import wire

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SERVER_NAME": "a.example",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.url_scheme": "http",
}


def scope(**more: Any) -> Any:
    return scope_of({**ENVIRON, **more}, {})


@pytest.mark.parametrize(
    ("script", "info", "root", "path"),
    [
        ("", "/x", "", "/x"),
        ("", "", "", "/"),
        ("/app", "", "/app", "/app"),
        ("/app/", "/x", "/app", "/app/x"),
        ("", "*", "", "*"),
        ("/cafÃ©", "/Ã©", "/café", "/café/é"),
    ],
)
def test_b298_path_and_root_path(script: str, info: str, root: str, path: str) -> None:
    found = scope(SCRIPT_NAME=script, PATH_INFO=info)
    assert (found["root_path"], found["path"]) == (root, path)


@pytest.mark.parametrize(
    ("told", "raw"),
    [
        ({"RAW_URI": "/a%2Fb?q"}, b"/a%2Fb"),
        ({"REQUEST_URI": "/a%2fb"}, b"/a%2fb"),
        ({"REQUEST_URI": "/rewritten"}, b"/a/b"),
        ({}, b"/a/b"),
    ],
)
def test_b298_the_raw_path_is_what_the_client_wrote(told: Any, raw: bytes) -> None:
    assert scope(PATH_INFO="/a/b", **told)["raw_path"] == raw


def test_b298_bytes_that_are_no_utf_8_stay_in_the_raw_path() -> None:
    assert scope(PATH_INFO="/\xff\0")["raw_path"] == b"/%FF%00"


def test_b299_names_become_fields() -> None:
    found = dict(scope(HTTP_X_A="1", HTTP_ACCEPT="*/*", CONTENT_TYPE="a/b")["headers"])
    assert found == {b"x-a": b"1", b"accept": b"*/*", b"content-type": b"a/b"}


def test_b299_only_the_servers_own_length_and_type_count() -> None:
    found = scope(
        HTTP_CONTENT_LENGTH="9", HTTP_CONTENT_TYPE="x", HTTP_TRANSFER_ENCODING="chunked",
        CONTENT_LENGTH="5", CONTENT_TYPE="",
    )  # fmt: skip
    assert found["headers"] == [(b"content-length", b"5")]


@pytest.mark.parametrize(
    ("more", "client"),
    [
        ({"REMOTE_ADDR": "10.0.0.1", "REMOTE_PORT": "5"}, ("10.0.0.1", 5)),
        ({"REMOTE_ADDR": "10.0.0.1"}, ("10.0.0.1", 0)),
        ({"REMOTE_ADDR": "10.0.0.1", "REMOTE_PORT": "x"}, ("10.0.0.1", 0)),
        ({"REMOTE_ADDR": ""}, None),
    ],
)
def test_the_client_is_an_address_or_none(more: Any, client: Any) -> None:
    assert scope(**more)["client"] == client


def test_there_and_back_is_the_same_request() -> None:
    sent = wire.scope_of(
        path="/old/café/a/b", raw_path=b"/old/caf%C3%A9/a%2Fb", root_path="/old", scheme="https",
        query_string=b"q=\xff", headers=[(b"host", b"a.example"), (b"x-a", b"\xe9")],
    )  # fmt: skip
    found = scope_of(environ_of(sent, None), {})
    for key in ("path", "raw_path", "root_path", "query_string", "headers", "scheme", "client"):
        assert found[key] == sent[key]
