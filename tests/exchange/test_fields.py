"""Header fields of a request as typed values."""

from datetime import UTC, datetime
from typing import Any

import pytest

from erlen.exceptions import WireError
from erlen.exchange.connection import Connection
from tests.exchange.wire import scope_of, settings

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
INSTANT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


def having(*fields: tuple[str, str]) -> Connection:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    return Connection(scope_of(headers=pairs), settings())


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ([], None),
        ([(b"last-event-id", b"")], None),
        ([(b"last-event-id", b"7")], "7"),
        ([(b"last-event-id", "é".encode())], "é"),
        ([(b"last-event-id", b"\xff")], "\ufffd"),
    ],
)
def test_st6_the_last_event_id_is_utf8(fields: list[tuple[bytes, bytes]], seen: str | None) -> None:
    assert Connection(scope_of(headers=fields), settings()).last_event_id == seen


def test_headers_are_read_only_and_made_once() -> None:
    seen = having(("x-a", "1"), ("x-a", "2"))
    assert seen.headers is seen.headers
    assert seen.headers["X-A"] == "1"
    with pytest.raises(TypeError, match="read-only"):
        seen.headers["X-A"] = "3"


def test_b044_bytes_beyond_ascii_are_latin1_and_come_back_the_same() -> None:
    seen = having(("x-a", "\xe9\xff"))
    assert seen.headers["x-a"].encode("latin-1") == b"\xe9\xff"


def test_b041_names_with_underscores_are_names_of_their_own() -> None:
    seen = having(("content_length", "5"))
    assert seen.content_length is None
    assert seen.headers["Content_Length"] == "5"


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("referer", "http://a/", "referrer", "http://a/"),
        ("origin", "http://a", "origin", "http://a"),
        ("sec-fetch-site", "same-origin", "sec_fetch_site", "same-origin"),
        ("sec-fetch-mode", "navigate", "sec_fetch_mode", "navigate"),
        ("sec-fetch-user", "?1", "sec_fetch_user", True),
        ("sec-fetch-user", "?0", "sec_fetch_user", False),
        ("sec-fetch-user", "1", "sec_fetch_user", False),
        ("sec-fetch-dest", "document", "sec_fetch_dest", "document"),
        ("content-type", "Text/HTML; charset=X", "content_type", "Text/HTML; charset=X"),
        ("content-type", "Text/HTML; charset=X", "mimetype", "text/html"),
        ("content-type", "Text/HTML; charset=X", "mimetype_params", {"charset": "X"}),
        ("content-encoding", "br", "content_encoding", "br"),
        ("date", DATE, "date", INSTANT),
        ("max-forwards", "3", "max_forwards", 3),
        ("max-forwards", "٣", "max_forwards", None),
        ("access-control-request-method", "PUT", "access_control_request_method", "PUT"),
        ("if-modified-since", DATE, "if_modified_since", INSTANT),
        ("if-unmodified-since", DATE, "if_unmodified_since", INSTANT),
        ("if-unmodified-since", "Mon, 99 Nov 1994 99:49:37 GMT", "if_unmodified_since", None),
    ],
)  # fmt: skip
def test_rq6_a_field_is_an_attribute(name: str, text: str, attribute: str, value: Any) -> None:
    seen = Connection(scope_of(headers=[(name.encode(), text.encode())]), settings())
    assert getattr(seen, attribute) == value


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("referrer", None), ("origin", None), ("sec_fetch_site", None), ("sec_fetch_mode", None),
        ("sec_fetch_user", False), ("sec_fetch_dest", None), ("content_type", None),
        ("mimetype", ""), ("mimetype_params", {}), ("is_json", False), ("content_encoding", None),
        ("content_length", None), ("date", None), ("max_forwards", None), ("authorization", None),
        ("access_control_request_headers", None), ("access_control_request_method", None),
        ("if_modified_since", None), ("if_unmodified_since", None), ("range", None),
    ],
)  # fmt: skip
def test_a_missing_field_is_nothing(attribute: str, value: Any) -> None:
    assert getattr(having(), attribute) == value


@pytest.mark.parametrize(
    ("text", "length"),
    [("5", 5), ("0", 0), ("-1", None), ("x", None), ("", None), ("9" * 5000, None), ("1_0", None)],
)
def test_rq5_a_malformed_length_is_none(text: str, length: int | None) -> None:
    assert having(("content-length", text)).content_length == length


def test_rq5_a_chunked_body_has_no_declared_length() -> None:
    assert having(("content-length", "5"), ("transfer-encoding", "chunked")).content_length is None


@pytest.mark.parametrize(
    ("kind", "is_json"),
    [
        ("application/json", True),
        ("APPLICATION/JSON ; charset=utf-8", True),
        ("application/vnd.api+json", True),
        ("application/jsonp", False),
        ("text/json", False),
        ("image/x+json", False),
    ],
)
def test_rq5_is_json_knows_json_and_its_suffix(kind: str, is_json: bool) -> None:
    assert having(("content-type", kind)).is_json is is_json


def test_rq6_the_user_agent_is_its_text() -> None:
    agent = having(("user-agent", "curl/8")).user_agent
    assert (agent.string, str(agent), agent.to_header(), bool(agent)) == (*["curl/8"] * 3, True)
    assert not having().user_agent


def test_rq6_credentials_are_parsed() -> None:
    seen = having(("authorization", "Basic dTpw")).authorization
    assert seen is not None
    assert (seen.type, seen.username, seen.password) == ("basic", "u", "p")
    assert having(("authorization", "Basic ???")).authorization is None


def test_a_cors_preflight_asks_for_headers() -> None:
    asked = having(("access-control-request-headers", "X-A, x-b")).access_control_request_headers
    assert asked is not None
    assert "x-a" in asked


# --- cookies --------------------------------------------------------------------------------------


def test_b075_b076_cookies_keep_their_order_over_fields() -> None:
    cookies = having(("cookie", "a=1; b=2"), ("cookie", "a=3")).cookies
    assert cookies["a"] == "1"
    assert cookies.getlist("a") == ["1", "3"]


def test_b077_too_many_cookies_are_431() -> None:
    with pytest.raises(WireError) as caught:
        _ = having(("cookie", "; ".join(f"a{n}=1" for n in range(301)))).cookies
    assert caught.value.status == 431


# --- negotiation and conditions -------------------------------------------------------------------


def test_rq7_accept_fields_are_joined_and_ranked() -> None:
    seen = having(("accept", "text/html;q=0.5"), ("accept", "application/json"))
    assert seen.accept_mimetypes.best == "application/json"
    assert having(("accept-encoding", "br, gzip;q=0")).accept_encodings.best == "br"
    assert having(("accept-language", "de-CH, en;q=0.5")).accept_languages.best == "de-CH"
    assert having(("accept-charset", "utf-8")).accept_charsets.best == "utf-8"


def test_rq7_directives_and_conditions_are_parsed() -> None:
    seen = having(("cache-control", "no-cache"), ("pragma", "no-cache"), ("range", "bytes=0-4"))
    assert seen.cache_control.no_cache
    assert "no-cache" in seen.pragma
    assert seen.range is not None
    assert seen.range.ranges == ((0, 5),)


def test_rq7_entity_tags_are_parsed() -> None:
    seen = having(("if-match", '"a"'), ("if-none-match", 'W/"b"'), ("if-range", '"c"'))
    assert seen.if_match.contains("a")
    assert seen.if_none_match.contains_weak("b")
    assert seen.if_range.etag == "c"
