"""Contexts entered by hand: CX-3, CX-4, CX-9, CX-11, pains 14 and 21."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest

from erlen import Blueprint, Erlen, current_app, g, has_app_context, has_request_context, request
from erlen.exceptions import OutsideContextError


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.add_url_rule("/<name>", "page", lambda name: name, methods=["GET", "POST"])
    return app


# --- app_context ------------------------------------------------------------------------------------


def test_cx3_with_enters_and_leaves(app: Erlen) -> None:
    with app.app_context():
        assert current_app._get_current_object() is app  # type: ignore[attr-defined]  # found at run time only
        g.name = "value"
        assert (has_app_context(), has_request_context()) == (True, False)
    assert not has_app_context()


async def test_cx3_async_with_enters_and_leaves(app: Erlen) -> None:
    async with app.app_context() as entered:
        g.name = "value"
        assert entered.context.g.name == "value"
    assert not has_app_context()


async def test_cx3_teardown_runs_when_the_last_push_is_popped(app: Erlen) -> None:
    ran: list[Any] = []
    app.teardown_appcontext(ran.append)
    context = app.app_context()
    async with context:
        with context:
            g.name = "inner"
        assert (ran, g.name) == ([], "inner")
    assert ran == [None]


def test_cx3_same_context_may_be_entered_twice(app: Erlen) -> None:
    ran: list[Any] = []
    app.teardown_appcontext(ran.append)
    context = app.app_context()
    with context, context:
        pass
    assert ran == [None]


async def test_nested_async_entries_tear_down_once(app: Erlen) -> None:
    ran: list[Any] = []
    app.teardown_appcontext(ran.append)
    context = app.app_context()
    async with context, context:
        pass
    assert ran == [None]


def test_cx3_push_and_pop_are_the_same_as_with(app: Erlen) -> None:
    ran: list[Any] = []
    app.teardown_appcontext(ran.append)
    context = app.app_context()
    context.push()
    error = ValueError()
    context.pop(error)
    assert ran == [error]


def test_nested_contexts_have_their_own_g(app: Erlen) -> None:
    with app.app_context():
        g.name = "outer"
        with app.app_context():
            assert "name" not in g
        assert g.name == "outer"


def test_cx3_popping_another_context_is_refused(app: Erlen) -> None:
    outer, inner = app.app_context(), app.app_context()
    outer.push()
    inner.push()
    with pytest.raises(RuntimeError, match=r"not the innermost one. Leave contexts in the reverse"):
        outer.pop()
    inner.pop()
    outer.pop()


async def test_leaving_what_was_not_entered_is_refused(app: Erlen) -> None:
    with pytest.raises(RuntimeError, match="not the innermost"):
        app.app_context().pop()
    with pytest.raises(RuntimeError, match="not the innermost"):
        await app.app_context().__aexit__(None, None, None)


# --- teardown hooks ---------------------------------------------------------------------------------


async def test_async_with_runs_hooks_of_both_kinds_with_the_error(app: Erlen) -> None:
    seen: list[Any] = []
    app.teardown_appcontext(seen.append)

    @app.teardown_appcontext
    async def asynchronous(error: BaseException | None) -> None:
        seen.append(error)

    error = ValueError("body")
    with pytest.raises(ValueError, match="body"):
        async with app.app_context():
            raise error
    assert seen == [error, error]


def test_with_and_an_async_hook_says_to_use_async_with(app: Erlen) -> None:
    @app.teardown_appcontext
    async def close_pool(error: BaseException | None) -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match=r"close_pool' is 'async def'.*Use 'async with'"):
        app.app_context().push()
    assert not has_app_context()


def through(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(error: BaseException | None) -> Any:
        g.decorated = True
        return function(error)

    return wrapper


def test_with_calls_the_decorator_around_a_hook(app: Erlen) -> None:
    seen: list[Any] = []
    app.teardown_appcontext(through(lambda error: seen.append(g.decorated)))
    with app.app_context():
        pass
    assert seen == [True]


def test_with_logs_a_decorated_async_hook(app: Erlen, caplog: pytest.LogCaptureFixture) -> None:
    async def hidden(error: BaseException | None) -> None:
        raise AssertionError

    app.teardown_appcontext(through(hidden))
    with app.app_context():
        pass
    assert "hidden' returned a coroutine" in str(caplog.records[0].exc_info)


def test_pl4_with_runs_every_hook_and_logs_each_failure(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[Any] = []
    app.teardown_appcontext(ran.append)
    app.teardown_appcontext(lambda error: 1 / 0)
    with app.app_context():
        pass
    assert ran == [None]
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.ERROR,
        "Exception in an application context",
    )


async def test_with_gives_back_the_worker_thread_that_was_used(app: Erlen) -> None:
    app.config["WORKER_THREADS"] = 1
    for _ in range(2):
        with app.app_context() as entered:
            await entered.context.run_sync(lambda: None)


# --- test_request_context ---------------------------------------------------------------------------


def test_cx9_request_works_without_being_served(app: Erlen) -> None:
    with app.test_request_context("/Ada?q=1", method="POST", headers={"x-a": "b"}):
        assert (request.path, request.args["q"], request.method) == ("/Ada", "1", "POST")
        assert (request.endpoint, request.view_args) == ("page", {"name": "Ada"})
        assert request.headers["x-a"] == "b"
        assert has_request_context()


async def test_cx9_body_can_be_read(app: Erlen) -> None:
    async with app.test_request_context("/Ada", method="POST", json={"a": 1}):
        assert await request.get_json() == {"a": 1}


async def test_cx9_form_text_is_a_body(app: Erlen) -> None:
    async with app.test_request_context("/Ada", method="POST", data=b"abc"):
        assert await request.get_data() == b"abc"
        assert await request.get_data() == b"abc"


def test_cx10_unknown_path_has_its_routing_exception(app: Erlen) -> None:
    with app.test_request_context("/a/b"):
        assert request.endpoint is None
        assert request.routing_exception is not None
        assert request.routing_exception.code == 404


def test_cx9_configuration_says_where_the_request_arrives(app: Erlen) -> None:
    app.config.update(
        SERVER_NAME="example.com:8443", APPLICATION_ROOT="/shop", PREFERRED_URL_SCHEME="https"
    )
    with app.test_request_context("/Ada"):
        assert request.url == "https://example.com:8443/shop/Ada"
    with app.test_request_context("/Ada", subdomain="api"):
        assert request.host == "api.example.com:8443"
    with app.test_request_context("/Ada", base_url="http://other/r%C3%A9"):
        assert (request.url, request.root_path) == ("http://other/ré/Ada", "/ré")


def test_cx4_request_context_is_an_app_context_too(app: Erlen) -> None:
    with app.test_request_context("/Ada"):
        g.name = current_app.name
        with app.app_context():
            assert "name" not in g


async def test_teardown_of_a_request_context_is_the_requests(app: Erlen) -> None:
    ran: list[str] = []
    bp = Blueprint("bp", __name__, url_prefix="/bp")
    bp.get("/x")(lambda: "")
    bp.teardown_request(lambda error: ran.append("bp"))
    app.teardown_request(lambda error: ran.append("app"))
    app.teardown_appcontext(lambda error: ran.append("appcontext"))
    app.register_blueprint(bp)
    async with app.test_request_context("/bp/x"):
        pass
    assert ran == ["bp", "app", "appcontext"]


async def test_before_hooks_can_be_run_by_hand(app: Erlen) -> None:
    app.before_request(lambda: setattr(g, "user", request.view_args))
    app.before_request(lambda: "answer")
    async with app.test_request_context("/Ada"):
        assert await app.preprocess_request() == "answer"
        assert g.user == {"name": "Ada"}


async def test_sending_in_a_request_that_is_not_served_is_refused(app: Erlen) -> None:
    async with app.test_request_context("/Ada") as entered:
        with pytest.raises(OutsideContextError, match=r"http.response.start.*Use the test client"):
            await app.make_response("body").send(entered.context)
