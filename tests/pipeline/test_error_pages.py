"""The answers to HTTP exceptions that no handler took: pages, and problem details."""

import pytest

from erlen import Erlen, Request, request
from erlen.exceptions import (
    BadRequestKeyError,
    Forbidden,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestRedirect,
)
from erlen.exchange.response import Response
from erlen.json import DefaultJSONProvider
from erlen.pipeline import error_pages
from erlen.pipeline.coerce import Coercion
from erlen.wire.accept import MIMEAccept

coerce = Coercion(Response, DefaultJSONProvider()).respond


def page(error: HTTPException, *, prefers_json: bool = False, debug: bool = False) -> Response:
    app = Erlen("shop")
    app.debug = debug
    accept = "application/json" if prefers_json else "text/html"
    with app.test_request_context(headers={"Accept": accept}):
        return coerce(error)


def test_ex2_a_page_is_html_with_the_headers_of_the_error() -> None:
    response = page(RequestRedirect("/a"))
    assert (response.status_code, response.location) == (308, "/a")
    assert response.mimetype == "text/html"


def test_a_client_that_prefers_json_gets_problem_details() -> None:
    response = page(NotFound("No such page."), prefers_json=True)
    assert response.content_type == "application/problem+json"
    assert response.json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "No such page.",
    }


def test_problem_details_need_no_description() -> None:
    class Bare(HTTPException):
        code = 499

    assert page(Bare(), prefers_json=True).json == {
        "type": "about:blank",
        "title": "Unknown",
        "status": 499,
    }


class OwnResponse(NotFound):
    def get_response(self) -> Response:
        return Response("own", 404)


class OwnBody(NotFound):
    def get_body(self) -> str:
        return "own"


@pytest.mark.parametrize(
    "error", [OwnResponse(), OwnBody(), NotFound(response=Response("own", 404))]
)
def test_a_page_of_the_errors_own_is_kept_for_json_clients(error: HTTPException) -> None:
    response = page(error, prefers_json=True)
    assert (response.data, response.status_code) == (b"own", 404)


def test_a_response_that_one_error_makes_is_sent() -> None:
    error = NotFound()
    error.get_response = lambda: Response("own", 404)  # type: ignore[method-assign]  # of one alone
    assert page(error).data == b"own"


def test_a_redirect_has_no_problem_details() -> None:
    assert page(RequestRedirect("/a"), prefers_json=True).mimetype == "text/html"


def test_an_error_without_a_code_is_its_response() -> None:
    response = Response("own", 418)
    assert page(HTTPException(response=response), prefers_json=True) is response


@pytest.mark.parametrize(("debug", "shown"), [(True, True), (False, False)])
def test_bd8_only_debug_mode_names_the_missing_key(debug: bool, shown: bool) -> None:
    assert (b"KeyError: &#39;a&#39;" in page(BadRequestKeyError("a"), debug=debug).data) is shown
    assert page(Forbidden(), debug=debug).status_code == 403


@pytest.mark.parametrize("prefers_json", [True, False])
def test_caches_are_told_that_the_page_depends_on_what_is_accepted(prefers_json: bool) -> None:
    assert page(NotFound(), prefers_json=prefers_json).headers["vary"] == "Accept"
    assert "vary" not in page(RequestRedirect("/a"), prefers_json=prefers_json).headers


@pytest.mark.parametrize("prefers_json", [True, False])
def test_headers_of_one_page_are_not_those_of_the_next(prefers_json: bool) -> None:
    page(NotFound(), prefers_json=prefers_json).headers["X-Page"] = "1"
    assert "x-page" not in page(NotFound(), prefers_json=prefers_json).headers


def test_problem_details_have_the_headers_of_the_error() -> None:
    response = page(MethodNotAllowed(["GET"]), prefers_json=True)
    assert response.content_type == "application/problem+json"
    assert (response.headers["allow"], response.headers["vary"]) == ("GET", "Accept")
    assert response.get_json(force=True)["title"] == "Method Not Allowed"


def test_a_class_of_responses_for_all_errors_makes_their_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Own(Response):
        default_mimetype = "text/plain"

    monkeypatch.setattr(HTTPException, "response_class", Own)
    response = page(NotFound())
    assert (type(response), response.mimetype) == (Own, "text/plain")
    assert response.headers["vary"] == "Accept"


class OfPrograms(Request):
    """A request that is answered as JSON."""

    accept_mimetypes = MIMEAccept([("application/json", 1)])


async def test_a_request_class_decides_what_is_accepted() -> None:
    app = Erlen("shop")
    app.request_class = OfPrograms
    response = await app.test_client().get("/none", headers={"Accept": "text/html"})
    assert response.content_type == "application/problem+json"


async def test_a_hook_decides_what_is_accepted() -> None:
    app = Erlen("shop")

    @app.before_request
    async def decide() -> None:
        request.accept_mimetypes = MIMEAccept([("application/json", 1)])

    response = await app.test_client().get("/none", headers={"Accept": "text/html"})
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize("accept", ["*/*", "text/html,*/*"])
async def test_a_hook_that_reads_the_request_changes_nothing(accept: str) -> None:
    app = Erlen("shop")
    app.before_request(lambda: request.headers and None)
    response = await app.test_client().get("/none", headers={"Accept": accept})
    assert response.mimetype == "text/html"


async def test_a_page_is_of_the_headers_that_the_request_has_shown() -> None:
    app = Erlen("shop")

    @app.before_request
    async def change() -> None:
        assert request.headers["Accept"] == "text/html"
        request.scope["headers"] = [(b"accept", b"application/json")]

    response = await app.test_client().get("/none", headers={"Accept": "text/html"})
    assert response.mimetype == "text/html"


async def test_a_long_accept_header_is_obeyed_and_not_kept() -> None:
    before = error_pages._is_for_json.cache_info().currsize
    accept = f"application/json,{'a' * 200}/b"
    response = await Erlen("shop").test_client().get("/", headers={"Accept": accept})
    assert response.headers["content-type"] == "application/problem+json"
    assert error_pages._is_for_json.cache_info().currsize == before
