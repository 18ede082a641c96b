"""The Content-Type of a response."""

import pytest

from erlen.exchange import media_types
from erlen.exchange.media_types import (
    content_type_of,
    read_media_type,
    type_pair,
    with_charset,
)


@pytest.mark.parametrize(
    ("mimetype", "content_type"),
    [
        ("text/css", "text/css; charset=utf-8"),
        ("image/png", "image/png"),
        ("text/a;b=c", "text/a;b=c"),
    ],
)
def test_rs2_text_has_a_charset(mimetype: str, content_type: str) -> None:
    assert with_charset(mimetype) == content_type
    assert content_type_of(mimetype) == content_type_of(mimetype) == content_type


def test_a_pair_is_the_header_as_it_is_sent() -> None:
    assert type_pair("x/y") is type_pair("x/y")
    assert type_pair("x/y") == (b"content-type", b"x/y")


def test_a_type_that_is_read_is_in_lower_case_and_has_its_parameters() -> None:
    for _ in range(2):
        kind, parameters = read_media_type("Application/JSON; Charset=UTF-8")
        assert (kind, parameters) == ("application/json", {"charset": "UTF-8"})
    assert read_media_type(None) == ("", {})


def test_types_of_clients_do_not_fill_the_memory() -> None:
    for number in range(1000):
        assert read_media_type(f"text/{number}") == (f"text/{number}", {})
    read_media_type(f"text/{'x' * 200}")
    read_media_type("multipart/form-data; boundary=1")
    assert len(media_types._MEDIA_TYPES) <= 256
    assert all("boundary" not in (known or "") for known in media_types._MEDIA_TYPES)


def test_content_types_made_of_input_do_not_fill_the_memory() -> None:
    for number in range(600):
        assert type_pair(content_type_of(f"x/{number}"))[1] == b"x/%d" % number
    assert max(len(media_types._TYPE_PAIRS), len(media_types._CONTENT_TYPES)) <= 256
