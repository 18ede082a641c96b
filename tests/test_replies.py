"""``make_response``, ``jsonify`` and ``redirect``: RV-1 to RV-3, CK-1, CX-7, B-177."""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any

import pytest

from erlen import (
    Erlen,
    Response,
    after_this_request,
    jsonify,
    make_response,
    redirect,
    request,
    stream_with_context,
)
from erlen.exceptions import OutsideContextError
from erlen.replies import redirect_local


class OwnResponse(Response):
    pass


@pytest.fixture(autouse=True)
def app() -> Iterator[Erlen]:
    app = Erlen("shop")
    app.response_class = OwnResponse
    with app.app_context():
        yield app


def body(response: Response) -> Any:
    return response.get_data()


def test_rv1_response_of_nothing_is_empty() -> None:
    response = make_response()
    assert (body(response), response.status_code, type(response)) == (b"", 200, OwnResponse)


def test_rv1_one_value_is_a_view_value() -> None:
    assert body(make_response("text")) == b"text"
    response = make_response(("text", 201))
    assert (body(response), response.status_code) == (b"text", 201)


def test_rv1_several_values_are_a_tuple() -> None:
    response = make_response("text", "201 Made", {"x-a": "b"})
    assert (response.status, response.headers["x-a"]) == ("201 Made", "b")


def test_rv1_response_stays_itself() -> None:
    response = OwnResponse("x")
    assert make_response(response) is response


def test_rv1_nothing_to_respond_with_is_refused() -> None:
    with pytest.raises(TypeError, match="The function returned None"):
        make_response(None)


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((), {}, b"null"),
        ((1,), {}, b"1"),
        (([],), {}, b"[]"),
        ((1, 2), {}, b"[1,2]"),
        ((), {"a": 1}, b'{"a":1}'),
    ],
)
def test_rv2_jsonify_makes_json(args: Any, kwargs: Any, expected: bytes) -> None:
    response = jsonify(*args, **kwargs)
    assert body(response).strip() == expected
    assert (response.mimetype, type(response)) == ("application/json", OwnResponse)


def test_rv2_values_and_keywords_are_refused() -> None:
    with pytest.raises(TypeError):
        jsonify(1, a=2)


def test_rv3_redirect_is_a_303_with_an_escaped_link() -> None:
    response = redirect("/a?b=1&c=<>")
    assert (response.status_code, type(response)) == (303, OwnResponse)
    assert b'<a href="/a?b=1&amp;c=%3C%3E">' in body(response)
    assert response.mimetype == "text/html"


@pytest.mark.parametrize("location", ["/a", "https://example.com/", "relative", "//host/x"])
def test_rv3_location_stays_as_given(location: str) -> None:
    assert redirect(location).headers["location"] == location


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308, HTTPStatus.FOUND])
def test_rv3_b177_every_redirecting_code_may_be_used(code: int) -> None:
    assert redirect("/", code).status_code == code


@pytest.mark.parametrize("code", [200, 300, 304, 305, 306, 404, 999, "302", 302.0, True, None])
def test_rv3_b177_code_that_is_no_redirect_is_refused(code: Any) -> None:
    with pytest.raises(ValueError, match=f"^{code!r} is not a redirect. Use 303, or 308"):
        redirect("/", code)


def test_rv3_location_cannot_add_a_header() -> None:
    headers = redirect("/a\r\nset-cookie: a=b").headers
    assert headers["location"] == "/a%0D%0Aset-cookie:%20a=b"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/account?tab=1", "/account?tab=1"),
        ("/ü b", "/%C3%BC%20b"),
        ("//evil.com", "/home"),
        ("javascript:alert(1)", "/home"),
        ("", "/home"),
        (None, "/home"),
    ],
)
def test_redirect_local_goes_where_the_client_asks_within_the_host(
    target: str | None, location: str
) -> None:
    response = redirect_local(target, "/home", 302)
    assert (response.status_code, response.location) == (302, location)


def test_redirect_local_falls_back_to_the_root() -> None:
    response = redirect_local("https://evil.com/")
    assert (response.status_code, response.location) == (303, "/")


def test_fallback_of_redirect_local_is_the_applications_word() -> None:
    assert redirect_local(None, "https://example.com/").location == "https://example.com/"
    with pytest.raises(ValueError, match="its scheme is 'ftp'"):
        redirect_local(None, "ftp://example.com/")


@pytest.mark.parametrize(
    "function", [make_response, lambda: make_response("x"), jsonify, lambda: redirect("/")]
)
async def test_outside_of_a_context_each_says_what_to_do(app: Erlen, function: Any) -> None:
    from contextvars import Context

    with pytest.raises(OutsideContextError, match="app_context"):
        Context().run(function)


# --- streams: ST-2 ----------------------------------------------------------------------------------


async def test_st2_stream_with_context_may_be_wrapped_around_a_generator(app: Erlen) -> None:
    @app.get("/<name>")
    def view(name: str) -> Iterator[str]:
        return stream_with_context(part for part in (request.path, " ", name))

    assert (await app.test_client().get("/Ada")).text == "/Ada Ada"


async def test_st2_stream_with_context_may_be_a_decorator(app: Erlen) -> None:
    @app.get("/<name>")
    async def view(name: str) -> AsyncIterator[str]:
        @stream_with_context
        async def generate() -> AsyncIterator[str]:
            yield request.path
            yield f" {name}"

        return generate()

    assert (await app.test_client().get("/Ada")).text == "/Ada Ada"


# --- cookies and what comes after: CK-1, CX-7 -------------------------------------------------------


def test_ck1_ck2_response_of_make_response_takes_a_cookie_with_every_attribute() -> None:
    response = make_response("text", 201)
    response.set_cookie(
        "__Host-id", "a;b", max_age=60, expires=0, secure=True, httponly=True, samesite="none",
        partitioned=True,
    )  # fmt: skip
    assert response.headers["set-cookie"] == (
        '__Host-id="a\\073b"; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60; Secure; HttpOnly; '
        "Path=/; SameSite=None; Partitioned"
    )


def test_ck4_deleted_cookie_keeps_its_attributes() -> None:
    response = make_response()
    response.delete_cookie("__Secure-id", "/a", "example.com", secure=True, samesite="Lax")
    assert response.headers["set-cookie"] == (
        "__Secure-id=; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; "
        "Secure; Path=/a; SameSite=Lax"
    )


async def test_cx7_after_this_request_may_be_of_either_kind_and_runs_in_order(app: Erlen) -> None:
    @app.get("/")
    async def view() -> Response:
        @after_this_request
        def first(response: Response) -> Response:
            response.set_cookie("a", "1")
            return response

        @after_this_request
        async def second(response: Response) -> Response:
            response.set_cookie("b", request.path)
            return make_response(response, {"x-order": "second"})

        return redirect("/next")

    response = await app.test_client().get("/")
    assert (response.status_code, response.headers["x-order"]) == (303, "second")
    assert response.headers.get_list("set-cookie") == ["a=1; Path=/", "b=/; Path=/"]
