"""Views' values: the table by which they become responses."""

import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any, NoReturn

import anyio
import pytest

from erlen import EventStream
from erlen.exceptions import NotFound
from erlen.exchange.response import Response
from erlen.json import DefaultJSONProvider
from erlen.pipeline.coerce import Coercion, plain_error
from erlen.routing.rule import Rule
from erlen.wire.headers import Headers
from erlen.wire.multidict import ImmutableMultiDict

JSON = DefaultJSONProvider()
coerce = Coercion(Response, JSON).respond
RULE = Rule("/", endpoint="admin.index")


class Own(Response):
    """A response class of the application's."""

    default_mimetype = "text/plain"


# --- the table of surface section 12 --------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "body", "content_type"),
    [
        ("é", "é".encode(), "text/html; charset=utf-8"),
        (b"\xff", b"\xff", "text/html; charset=utf-8"),
        (bytearray(b"a"), b"a", "text/html; charset=utf-8"),
        (memoryview(b"a"), b"a", "text/html; charset=utf-8"),
        ({"a": "é"}, '{"a":"é"}'.encode(), "application/json"),
        ([1, None], b"[1,null]", "application/json"),
        ({}, b"{}", "application/json"),
        (ImmutableMultiDict([("a", "1"), ("a", "2")]), b'{"a":"1"}', "application/json"),
    ],
)
def test_a_plain_value_is_a_body(value: Any, body: bytes, content_type: str) -> None:
    response = coerce(value)
    assert (response.data, response.content_type, response.status_code) == (body, content_type, 200)


class Text(str):
    __slots__ = ()


def test_a_subclass_of_str_is_text() -> None:
    assert coerce(Text("a")).data == b"a"


async def generator() -> AsyncIterator[str]:
    yield "a"


class Chunks:
    def __aiter__(self) -> AsyncIterator[str]:
        return generator()


@pytest.mark.parametrize(
    "make", [generator, Chunks, lambda: iter("ab"), lambda: (part for part in "ab")]
)
def test_st1_every_kind_of_iterator_is_streamed(make: Any) -> None:
    value = make()
    response = coerce(value)
    assert (response.is_streamed, response.response) == (True, value)


def test_a_response_is_itself() -> None:
    response = Own("a")
    assert coerce(response) is response


def test_a_plain_response_becomes_one_of_the_applications_class() -> None:
    response = Response("a", 201, {"X-A": "1"})
    adopted = Coercion(Own, JSON).respond(response)
    assert adopted is response
    assert (type(adopted), adopted.status_code, adopted.headers["X-A"]) == (Own, 201, "1")


def test_the_applications_class_makes_the_responses() -> None:
    response = Coercion(Own, JSON).respond("a")
    assert (type(response), response.mimetype) == (Own, "text/plain")


def test_an_exception_that_is_returned_is_its_page() -> None:
    response = Coercion(Own, JSON).respond(NotFound())
    assert (type(response), response.status_code) == (Own, 404)
    assert b"<h1>Not Found</h1>" in response.data


# --- tuples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "status", "headers"),
    [
        (("a", 201), "201 Created", {}),
        (("a", "201 Made"), "201 Made", {}),
        (("a", None), "200 OK", {}),
        (("a", {"X-A": "1"}), "200 OK", {"X-A": "1"}),
        (("a", Headers({"X-A": "1"})), "200 OK", {"X-A": "1"}),
        (("a", [("X-A", "1")]), "200 OK", {"X-A": "1"}),
        (("a", (("X-A", "1"),)), "200 OK", {"X-A": "1"}),
        (("a", 201, {"X-A": "1"}), "201 Created", {"X-A": "1"}),
        (("a", 201, None), "201 Created", {}),
        (("a", None, {"Content-Type": "x/y"}), "200 OK", {"Content-Type": "x/y"}),
        (({"a": 1}, 201), "201 Created", {"Content-Type": "application/json"}),
        ((Response("a", 201, {"X-A": "1"}), {"X-A": "2"}), "201 Created", {"X-A": "2"}),
        ((Response("a", 201), 202), "202 Accepted", {}),
    ],
)
def test_a_tuple_has_a_body_a_status_and_headers(
    value: Any, status: str, headers: dict[str, str]
) -> None:
    response = coerce(value)
    assert response.status == status
    for name, text in headers.items():
        assert response.headers.getlist(name) == [text]


@pytest.mark.parametrize(
    "pairs",
    [
        [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
        {"Set-Cookie": ["a=1", "b=2"]},
        Headers([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
    ],
    ids=["pairs", "mapping", "headers"],
)
def test_headers_that_are_repeated_all_arrive(pairs: Any) -> None:
    response = coerce(("a", 200, pairs))
    assert response.headers.getlist("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("value", [(), ("a",), ("a", 200, {}, 1)])
def test_a_tuple_of_another_length_names_the_view(value: Any) -> None:
    with pytest.raises(TypeError, match=rf"'admin\.index' returned a tuple of {len(value)}"):
        coerce(value, RULE)


def test_a_status_that_is_none_is_the_views_fault() -> None:
    with pytest.raises(ValueError, match="is not the status"):
        coerce(("a", "Made"))


# --- what no view may return ----------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, (None, 200)])
def test_none_names_the_view(value: Any) -> None:
    with pytest.raises(TypeError, match=r"view of endpoint 'admin\.index' returned None"):
        coerce(value, RULE)


@pytest.mark.parametrize("value", [5, object(), {1}, generator, (("a", "b"), 200)])
def test_any_other_type_is_named(value: Any) -> None:
    with pytest.raises(TypeError, match=r"The function returned .* of type .*Return str, bytes"):
        coerce(value)


async def unawaited() -> NoReturn:
    raise NotImplementedError


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: (value, 201)])
def test_an_unawaited_coroutine_is_named_and_closed(wrap: Any) -> None:
    coroutine = unawaited()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(
            TypeError, match=r"un-awaited coroutine \(unawaited, .*test_coerce"
        ) as e:
            coerce(wrap(coroutine), RULE)
        assert "admin.index" in str(e.value)
        del coroutine
    assert not caught


def test_a_coroutine_that_ran_already_is_named_by_its_first_line() -> None:
    coroutine = unawaited()
    coroutine.close()
    line = unawaited.__code__.co_firstlineno
    with pytest.raises(TypeError, match=rf"test_coerce\.py:{line}\)"):
        coerce(coroutine)


async def test_another_awaitable_is_told_to_be_awaited() -> None:
    class Later:
        def __await__(self) -> Iterator[None]:
            raise NotImplementedError

    with pytest.raises(TypeError, match="Write 'await' in front of it"):
        coerce(Later())


# --- the application's class -----------------------------------------------------------------------


def test_a_stream_of_events_is_of_the_applications_class() -> None:
    response = Coercion(Own, JSON).respond(EventStream(["news"]))
    assert (type(response), response.mimetype) == (Own, "text/event-stream")


def test_pages_are_of_the_applications_class() -> None:
    response = Coercion(Own, JSON).error(NotFound())
    assert type(response) is Own


def test_the_last_resort_is_plain_text() -> None:
    response = plain_error(Own)
    assert (response.status_code, response.data, response.mimetype) == (
        500, b"Internal Server Error", "text/plain",
    )  # fmt: skip
    assert plain_error(Response, 503).status_code == 503


def test_an_unawaited_generator_is_a_stream_and_not_an_error() -> None:
    response = coerce(generator())
    anyio.run(response.freeze)
    assert response.data == b"a"
