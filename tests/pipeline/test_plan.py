"""The freeze: one pipeline for each endpoint, thought of once."""

from typing import Any

import pytest

from erlen import Blueprint, Erlen, request
from erlen.exceptions import FrozenError
from erlen.pipeline.plan import Plan


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


def view(**_: object) -> str:
    return ""


def line_of(app: Erlen, endpoint: str) -> Any:
    app.freeze()
    return next(app.url_map.iter_rules(endpoint)).target


def test_endpoints_of_a_scope_share_everything_but_the_view(app: Erlen) -> None:
    app.add_url_rule("/a", "a", view)
    app.add_url_rule("/b", "b", lambda: "")
    app.before_request(view)
    a, b = line_of(app, "a"), next(app.url_map.iter_rules("b")).target
    assert a.before is b.before
    assert a.handlers is b.handlers
    assert a.view is not b.view


def test_callable_that_cannot_be_hashed_may_be_declared(app: Erlen) -> None:
    class Hook:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self) -> None:
            pass

    app.before_request(Hook())
    app.freeze()


def test_scope_of_a_missing_blueprint_is_that_of_its_parents(app: Erlen) -> None:
    bp = Blueprint("bp", "shop")
    bp.before_request(view)
    app.register_blueprint(bp)
    app.add_url_rule("/x", "bp.made.by.hand", view)
    assert len(line_of(app, "bp.made.by.hand").before) == 1


def test_limit_of_a_cookie_is_the_configured_one(app: Erlen) -> None:
    assert line_of_default(app).coerce.response_class is app.response_class
    app.config["MAX_COOKIE_SIZE"] = 10
    sized = line_of_default(app).coerce.response_class
    assert (sized.max_cookie_size, sized.__name__) == (10, "Response")


def line_of_default(app: Erlen) -> Any:
    return Plan(app).unmatched["http"]


async def test_configuration_after_the_freeze_of_what_a_plan_reads_has_no_effect(
    app: Erlen,
) -> None:
    @app.post("/")
    async def read() -> str:
        return str(request.max_content_length)

    app.config["MAX_CONTENT_LENGTH"] = 7
    client = app.test_client()
    await client.post("/")
    with pytest.raises(FrozenError, match="MAX_CONTENT_LENGTH"):
        app.config["MAX_CONTENT_LENGTH"] = 8
    assert (await client.post("/")).text == "7"


async def test_mt11_a_redirect_keeps_the_root_path_and_the_query(app: Erlen) -> None:
    app.add_url_rule("/tree/", "tree", view)
    response = await app.test_client(root_path="/app").get("/tree?a=1&b=%20x")
    assert (response.status_code, response.location) == (308, "/app/tree/?a=1&b=%20x")


async def test_mt14_a_redirect_function_is_called_once(app: Erlen) -> None:
    calls: list[object] = []

    def target(adapter: object) -> str:
        calls.append(adapter)
        return "new"

    app.add_url_rule("/old", "old", redirect_to=target)
    assert (await app.test_client().get("/old")).location == "/new"
    assert len(calls) == 1
