"""Header fields of a response as attributes that write through."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from erlen.exchange.response import Response
from erlen.exchange.response_fields import ResponseFields, header_field, header_set
from erlen.wire.caching import ContentSecurityPolicy
from erlen.wire.credentials import WWWAuthenticate
from erlen.wire.params import HeaderSet
from erlen.wire.ranges import ContentRange

INSTANT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("attribute", "name", "value", "text"),
    [
        ("content_encoding", "Content-Encoding", "br", "br"),
        ("content_location", "Content-Location", "/é", "/%C3%A9"),
        ("location", "Location", "/a b", "/a%20b"),
        ("accept_ranges", "Accept-Ranges", "bytes", "bytes"),
        ("age", "Age", timedelta(minutes=1), "60"),
        ("age", "Age", 5, "5"),
        ("date", "Date", INSTANT, DATE),
        ("date", "Date", DATE, DATE),
        ("expires", "Expires", INSTANT.timestamp(), DATE),
        ("last_modified", "Last-Modified", INSTANT, DATE),
        ("retry_after", "Retry-After", 5, "5"),
        ("retry_after", "Retry-After", INSTANT, DATE),
        ("access_control_allow_origin", "Access-Control-Allow-Origin", "*", "*"),
        ("access_control_max_age", "Access-Control-Max-Age", 60, "60"),
        ("access_control_allow_headers", "Access-Control-Allow-Headers", ["X-A", "b"], "X-A, b"),
        ("access_control_allow_methods", "Access-Control-Allow-Methods", HeaderSet(["A"]), "A"),
        ("access_control_expose_headers", "Access-Control-Expose-Headers", "X-A", "X-A"),
        ("access_control_allow_credentials", "Access-Control-Allow-Credentials", True, "true"),
        ("cross_origin_opener_policy", "Cross-Origin-Opener-Policy", "same-origin", "same-origin"),
        ("cross_origin_embedder_policy", "Cross-Origin-Embedder-Policy", "x", "x"),
        ("vary", "Vary", ["Accept", "Cookie"], "Accept, Cookie"),
        ("allow", "Allow", ("GET", "HEAD"), "GET, HEAD"),
        ("content_language", "Content-Language", "de, en", "de, en"),
        ("content_range", "Content-Range", "bytes 0-1/2", "bytes 0-1/2"),
        ("content_range", "Content-Range", ContentRange("bytes", 0, 2, 2), "bytes 0-1/2"),
        ("content_type", "Content-Type", "x/y", "x/y"),
        ("mimetype", "Content-Type", "text/plain", "text/plain; charset=utf-8"),
    ],
)
def test_rs4_rs9_assigning_writes_the_header(
    attribute: str, name: str, value: Any, text: str
) -> None:
    response = Response()
    setattr(response, attribute, value)
    assert response.headers[name] == text


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("location", "Location"), ("age", "Age"), ("access_control_max_age", "Access-Control-Max-Age"),
        ("access_control_allow_credentials", "Access-Control-Allow-Credentials"),
        ("vary", "Vary"), ("content_range", "Content-Range"), ("content_type", "Content-Type"),
        ("www_authenticate", "WWW-Authenticate"),
    ],
)  # fmt: skip
def test_assigning_none_removes_the_header(attribute: str, name: str) -> None:
    response = Response(headers={name: "1"})
    setattr(response, attribute, None)
    assert name not in response.headers


@pytest.mark.parametrize(
    ("attribute", "name", "text", "value"),
    [
        ("age", "Age", "60", timedelta(minutes=1)),
        ("age", "Age", "x", None),
        ("age", "Age", "9" * 30, None),
        ("date", "Date", DATE, INSTANT),
        ("date", "Date", "x", None),
        ("retry_after", "Retry-After", DATE, INSTANT),
        ("retry_after", "Retry-After", "9" * 30, None),
        ("access_control_max_age", "Access-Control-Max-Age", "x", None),
        ("access_control_allow_credentials", "Access-Control-Allow-Credentials", "false", False),
        ("mimetype", "Content-Type", "Text/HTML; a=b", "text/html"),
        ("mimetype_params", "Content-Type", "text/html; a=b", {"a": "b"}),
        ("is_json", "Content-Type", "application/problem+json", True),
        ("is_json", "Content-Type", "text/html", False),
    ],
)
def test_reading_gives_the_value_or_none(attribute: str, name: str, text: str, value: Any) -> None:
    assert getattr(Response(headers={name: text}), attribute) == value


def test_a_retry_after_in_seconds_is_an_instant_from_now() -> None:
    response = Response(headers={"Retry-After": "60"})
    assert response.retry_after is not None
    assert timedelta(seconds=50) < response.retry_after - datetime.now(UTC) <= timedelta(minutes=1)


def test_a_response_without_content_type_has_no_media_type() -> None:
    response = Response()
    response.content_type = None
    assert (response.mimetype, response.mimetype_params, response.is_json) == (None, {}, False)
    assert response.age is None


@pytest.mark.parametrize("value", [-1, timedelta(seconds=-1)])
def test_a_negative_age_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not negative"):
        Response().age = value


# --- DS-6: objects that write back ----------------------------------------------------------------


def test_ds6_cache_control_writes_through() -> None:
    response = Response()
    response.cache_control.max_age = 60
    response.cache_control.public = True
    assert response.headers["Cache-Control"] == "max-age=60, public"
    response.cache_control.clear()
    assert "Cache-Control" not in response.headers


@pytest.mark.parametrize(
    ("attribute", "name"),
    [("vary", "Vary"), ("allow", "Allow"), ("content_language", "Content-Language")],
)
def test_ds6_sets_write_through(attribute: str, name: str) -> None:
    response = Response(headers={name: "a"})
    getattr(response, attribute).add("b")
    assert response.headers[name] == "a, b"
    getattr(response, attribute).clear()
    assert name not in response.headers


def test_ds6_content_range_writes_through() -> None:
    response = Response()
    assert not response.content_range
    response.content_range.set(0, 5, 13)
    assert response.headers["Content-Range"] == "bytes 0-4/13"
    response.content_range.unset()
    assert "Content-Range" not in response.headers


def test_ds6_policies_write_through() -> None:
    response = Response()
    response.content_security_policy.default_src = "'self'"
    response.content_security_policy_report_only.img_src = "*"
    assert response.headers["Content-Security-Policy"] == "default-src 'self'"
    assert response.headers["Content-Security-Policy-Report-Only"] == "img-src *"


@pytest.mark.parametrize("name", ["Content-Security-Policy", "Content-Security-Policy-Report-Only"])
def test_ds6_a_policy_is_replaced_as_a_whole(name: str) -> None:
    response = Response()
    attribute = name.lower().replace("-", "_")
    setattr(response, attribute, "default-src 'self'")
    assert response.headers[name] == "default-src 'self'"
    setattr(response, attribute, ContentSecurityPolicy({"img-src": "*"}))
    assert response.headers[name] == "img-src *"
    setattr(response, attribute, None)
    assert name not in response.headers


def test_ds6_challenges_are_one_a_list_or_none() -> None:
    response = Response()
    assert response.www_authenticate is None
    response.www_authenticate = WWWAuthenticate("basic", {"realm": "a"})
    response.www_authenticate.realm = "b"
    assert response.headers["WWW-Authenticate"] == 'Basic realm="b"'
    response.www_authenticate = [WWWAuthenticate("basic"), WWWAuthenticate("bearer")]
    assert response.headers.getlist("WWW-Authenticate") == ["Basic", "Bearer"]


def test_on_the_class_a_field_is_itself() -> None:
    assert isinstance(ResponseFields.age, header_field)
    assert isinstance(ResponseFields.vary, header_set)


@pytest.mark.parametrize("value", [5, timedelta(seconds=5)])
def test_rs9_max_age_of_cors_is_seconds(value: timedelta | int) -> None:
    response = Response()
    response.access_control_max_age = value
    assert response.headers["Access-Control-Max-Age"] == "5"
    assert response.access_control_max_age == 5
