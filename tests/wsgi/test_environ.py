"""The WSGI environment of an ASGI request."""

import io
from typing import Any

import pytest

from erlen.wsgi.environ import environ_of
from tests.exchange.wire import scope_of


def environ(**scope: Any) -> dict[str, Any]:
    return environ_of(scope_of(**scope), io.BytesIO())


def test_b278_text_is_bytes_as_latin_1_and_decoded_once() -> None:
    found = environ(path="/café/%41", raw_path=b"/caf%C3%A9/%2541", query_string=b"q=\xc3\xa9")
    assert found["PATH_INFO"] == "/cafÃ©/%41"
    assert found["QUERY_STRING"] == "q=Ã©"
    assert found["REQUEST_URI"] == found["RAW_URI"] == "/caf%C3%A9/%2541?q=Ã©"


def test_without_a_raw_path_the_uri_is_quoted() -> None:
    assert environ(path="/a b")["REQUEST_URI"] == "/a%20b"


@pytest.mark.parametrize(
    ("root", "path", "script", "info"),
    [
        ("/old", "/old/x", "/old", "/x"),
        ("/old/", "/old/x", "/old", "/x"),
        ("/old", "/old", "/old", ""),
        ("/old", "/older", "/old", "/older"),
        ("/é", "/é/x", "/Ã©", "/x"),
        ("", "/x", "", "/x"),
    ],
)
def test_b278_the_script_name_ends_where_a_segment_does(
    root: str, path: str, script: str, info: str
) -> None:
    found = environ(root_path=root, path=path)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == (script, info)


def test_b277_fields_are_joined_cookies_by_semicolons() -> None:
    headers = [(b"x-a", b"1"), (b"cookie", b"a=1"), (b"x-a", b"2"), (b"cookie", b"b=2")]
    found = environ(headers=headers)
    assert (found["HTTP_X_A"], found["HTTP_COOKIE"]) == ("1,2", "a=1; b=2")


def test_b277_names_with_underscores_and_proxy_are_dropped() -> None:
    headers = [(b"x-a", b"1"), (b"x_a", b"evil"), (b"content_length", b"9"), (b"proxy", b"evil")]
    found = environ(headers=headers)
    assert found["HTTP_X_A"] == "1"
    assert not {"HTTP_PROXY", "HTTP_CONTENT_LENGTH", "CONTENT_LENGTH"} & found.keys()


def test_type_and_length_of_the_body_have_names_of_their_own() -> None:
    found = environ(headers=[(b"content-type", b"text/plain"), (b"content-length", b"5")])
    assert (found["CONTENT_TYPE"], found["CONTENT_LENGTH"]) == ("text/plain", "5")


def test_b279_a_chunked_body_has_no_length_and_an_end() -> None:
    headers = [(b"transfer-encoding", b"chunked"), (b"content-length", b"5")]
    found = environ(headers=headers)
    assert found["wsgi.input_terminated"] is True
    assert "CONTENT_LENGTH" not in found


@pytest.mark.parametrize(
    ("scope", "name", "port"),
    [
        ({"server": ("10.0.0.1", 8000)}, "10.0.0.1", "8000"),
        ({"server": None, "headers": [(b"host", b"a.example:81")]}, "a.example", "81"),
        ({"server": ("/run/sock", None), "headers": [(b"host", b"a.example")]}, "a.example", "80"),
        ({"server": None, "scheme": "https", "headers": [(b"host", b"[::1]")]}, "[::1]", "443"),
        ({"server": None, "headers": []}, "localhost", "80"),
    ],
)
def test_the_server_has_a_name_and_a_port(scope: dict[str, Any], name: str, port: str) -> None:
    found = environ(**scope)
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == (name, port)


def test_b296_a_client_without_an_address_is_an_empty_one() -> None:
    found = environ(client=None)
    assert found["REMOTE_ADDR"] == ""
    assert "REMOTE_PORT" not in found


def test_the_scope_is_there_for_who_knows_it() -> None:
    scope = scope_of()
    assert environ_of(scope, io.BytesIO())["asgi.scope"] is scope
