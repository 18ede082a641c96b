"""Declarations: what is taken, what is refused, and where they stand in the user's code."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from erlen import Blueprint, Erlen
from erlen.exceptions import (
    DuplicateRuleError,
    FrozenError,
    HTTPException,
    ImATeapot,
    NotFound,
    SetupError,
)
from erlen.pipeline.registry import declaration_site, endpoint_of, rule_methods
from erlen.views import MethodView


@pytest.fixture(params=["app", "blueprint"])
def registry(request: pytest.FixtureRequest) -> Erlen | Blueprint:
    return Erlen("shop", static_folder=None) if request.param == "app" else Blueprint("bp", "shop")


def rules_of(registry: Erlen | Blueprint) -> Iterator[Any]:
    """Return the rules, those of a blueprint as an application has them."""
    if isinstance(registry, Blueprint):
        app = Erlen("shop", static_folder=None)
        app.register_blueprint(registry)
        return app.url_map.iter_rules()
    return registry.url_map.iter_rules()


def view() -> str:
    return ""


# --- routes: RT-1 to RT-10, BP-14 -------------------------------------------------------------------


def test_rt1_route_returns_the_function_and_may_be_stacked(registry: Any) -> None:
    decorated = registry.route("/a")(registry.route("/b", endpoint="other")(view))
    assert decorated is view
    assert [rule.rule for rule in rules_of(registry)] == ["/b", "/a"]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_rt2_shortcut_serves_its_method(registry: Any, method: str) -> None:
    assert getattr(registry, method)("/")(view) is view
    (rule,) = rules_of(registry)
    head = {"HEAD"} if method == "get" else set()
    assert rule.methods == {method.upper(), "OPTIONS"} | head


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_rt2_shortcut_takes_no_methods(registry: Any, method: str) -> None:
    with pytest.raises(TypeError, match=rf"was given to {method}\(\).*Use route\(\)"):
        getattr(registry, method)("/", methods=["GET"])


def test_rt3_endpoint_is_the_views_name(registry: Any) -> None:
    registry.add_url_rule("/", view_func=view)
    (rule,) = rules_of(registry)
    assert rule.endpoint.rpartition(".")[2] == "view"


def test_rt3_rule_with_neither_endpoint_nor_view_is_refused(registry: Any) -> None:
    with pytest.raises(TypeError, match=r"has no endpoint and None has no name.*Give endpoint="):
        registry.add_url_rule("/")


def test_rt10_websocket_rules_are_declared_both_ways(registry: Any) -> None:
    assert registry.websocket("/a")(view) is view
    registry.add_websocket("/b", "other", view)
    rules = list(rules_of(registry))
    assert [(rule.rule, rule.websocket) for rule in rules] == [("/a", True), ("/b", True)]
    assert all("OPTIONS" not in rule.methods for rule in rules)


def test_rt10_http_and_websocket_may_share_a_path(registry: Any) -> None:
    registry.get("/", endpoint="page")(view)
    registry.websocket("/", endpoint="socket")(view)
    assert len(list(rules_of(registry))) == 2


def test_a_decorator_may_be_kept_and_used_twice() -> None:
    app = Erlen("shop", static_folder=None)
    decorate = app.route("/", endpoint="home")
    decorate(view)
    with pytest.raises(SetupError, match=r"endpoint 'home'.*already has the view 'view'"):
        decorate(lambda: "")


@pytest.mark.parametrize(
    ("methods", "automatic", "default", "expected"),
    [
        pytest.param(None, None, True, ({"GET", "OPTIONS"}, True), id="RT-5-default"),
        pytest.param(["post"], None, True, ({"POST", "OPTIONS"}, True), id="RT-5-upper"),
        pytest.param(["GET"], None, False, ({"GET"}, False), id="RT-6-config"),
        pytest.param(["OPTIONS"], None, True, ({"OPTIONS"}, False), id="RT-6-own-options"),
        pytest.param(["OPTIONS"], True, True, ({"OPTIONS"}, True), id="RT-6-asked-for"),
        pytest.param(["GET"], False, True, ({"GET"}, False), id="RT-6-not-wanted"),
    ],
)
def test_rt5_rt6_methods_of_a_rule(
    methods: Any, automatic: Any, default: bool, expected: Any
) -> None:
    assert rule_methods(view, methods, automatic, default_automatic=default) == expected


def test_rt5_rt6_a_view_says_its_methods_itself() -> None:
    def own() -> str:
        return ""

    own.methods = ["put"]  # type: ignore[attr-defined]  # found at run time only
    own.required_methods = ["lock"]  # type: ignore[attr-defined]  # found at run time only
    own.provide_automatic_options = False  # type: ignore[attr-defined]  # found at run time only
    found = rule_methods(own, None, None, default_automatic=True)
    assert found == ({"PUT", "LOCK"}, False)


def test_rt5_methods_must_not_be_one_text() -> None:
    with pytest.raises(TypeError, match=r"is one text. Give a list"):
        rule_methods(view, "POST", None, default_automatic=True)


def test_endpoint_of_a_nameless_view_is_asked_for() -> None:
    with pytest.raises(TypeError, match="Give endpoint= or a named view"):
        endpoint_of(None)


# --- where a declaration stands ---------------------------------------------------------------------


def here(offset: int = 0) -> str:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f"{__file__}:{frame.f_back.f_lineno + offset}"


def test_site_is_the_callers_line_and_never_one_of_erlen() -> None:
    assert str(declaration_site()) == here()


def test_site_skips_the_frames_of_the_package() -> None:
    found = eval("site()", {"__name__": "erlen.made_up", "site": declaration_site})
    assert str(found) == here(-1)


DECLARING: dict[str, Callable[[Any], object]] = {
    "route": lambda registry: registry.route("/")(view),
    "get": lambda registry: registry.get("/")(view),
    "websocket": lambda registry: registry.websocket("/")(view),
    "add_url_rule": lambda registry: registry.add_url_rule("/", view_func=view),
    "method-view": lambda registry: registry.add_url_rule("/", view_func=Page.as_view("page")),
}


class Page(MethodView):
    def get(self) -> str:
        return ""


@pytest.mark.parametrize("kind", DECLARING)
def test_origin_of_a_rule_is_the_users_line(registry: Any, kind: str) -> None:
    lines, start = inspect.getsourcelines(inspect.getmodule(view))  # type: ignore[arg-type]  # the module is known
    DECLARING[kind](registry)
    (rule,) = rules_of(registry)
    line = next(n for n, text in enumerate(lines, start + 1) if text.startswith(f'    "{kind}":'))
    assert rule.origin == f"{__file__}:{line}"


def test_rt9_duplicate_rules_are_refused_with_both_origins(registry: Any) -> None:
    registry.get("/page/<a>", endpoint="first")(view)
    first = here(-1)
    with pytest.raises(DuplicateRuleError) as caught:
        registry.get("/page/<b>", endpoint="second")(view) and list(rules_of(registry))
    second = here(-1)
    assert first in str(caught.value)
    assert second in str(caught.value)


# --- what cannot be declared ------------------------------------------------------------------------


DECORATORS = (
    "route", "get", "post", "put", "patch", "delete", "websocket", "errorhandler", "endpoint",
)  # fmt: skip


@pytest.mark.parametrize("call", DECORATORS)
def test_decorator_without_parentheses_says_how_to_write_it(registry: Any, call: str) -> None:
    sentence = rf"{call} was used without parentheses, on .* Write @{call}\(\.\.\.\)"
    with pytest.raises(TypeError, match=sentence):
        getattr(registry, call)(view)
    assert list(rules_of(registry)) == []


@pytest.mark.parametrize("what", ["x", None, 5])
@pytest.mark.parametrize(
    "call",
    ["teardown_appcontext", "lifespan", "before_serving", "while_serving", "after_serving",
     "add_middleware"],
)  # fmt: skip
def test_what_cannot_be_called_is_refused_where_it_is_declared(call: str, what: Any) -> None:
    with pytest.raises(TypeError, match=rf"{call}\(\) was given .* Give a function"):
        getattr(Erlen("shop", static_folder=None), call)(what)


def test_error_handler_that_cannot_be_called_is_refused(registry: Any) -> None:
    with pytest.raises(TypeError, match="which cannot be called"):
        registry.register_error_handler(404, "x")


class AsyncObject:
    async def __call__(self, endpoint: str, values: dict[str, Any]) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("function", [AsyncObject(), functools.partial(AsyncObject(), "endpoint")])
def test_url12_any_kind_of_coroutine_function_is_refused(registry: Any, function: Any) -> None:
    with pytest.raises(TypeError, match="cannot wait for it"):
        registry.url_defaults(function)


HOOKS = (
    "before_request", "after_request", "teardown_request",
    "before_websocket", "after_websocket", "teardown_websocket",
    "url_value_preprocessor", "url_defaults", "context_processor",
)  # fmt: skip


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_that_cannot_be_called_is_refused_where_it_is_declared(
    registry: Any, hook: str
) -> None:
    with pytest.raises(TypeError, match=rf"{hook}\(\) was given 'x' of type str, which cannot be"):
        getattr(registry, hook)("x")


def declare(registry: Any, call: str, *given: Any, **options: Any) -> None:
    """Declare, and register the blueprint: an application sees its rules only then."""
    getattr(registry, call)(*given, **options)
    rules_of(registry)


@pytest.mark.parametrize("call", ["add_url_rule", "add_websocket"])
def test_view_that_cannot_be_called_is_refused(registry: Any, call: str) -> None:
    with pytest.raises(TypeError, match="was given 'view' of type str, which cannot be called"):
        declare(registry, call, "/", "home", "view")


def test_rt10_websocket_rule_for_another_method_is_refused(registry: Any) -> None:
    with pytest.raises(ValueError, match="POST"):
        declare(registry, "add_websocket", "/", "socket", view, methods=["POST"])


def test_url12_function_of_url_defaults_must_not_be_a_coroutine_function(registry: Any) -> None:
    async def language(endpoint: str, values: dict[str, Any]) -> None:
        pass

    with pytest.raises(TypeError, match=r"language' is 'async def'.* Write it as 'def'\."):
        registry.url_defaults(language)
    assert registry.declared.url_defaults == []


# --- handlers: ER-1 ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        (404, (404, NotFound)),
        (NotFound, (404, NotFound)),
        (HTTPException, (None, HTTPException)),
        (ImATeapot, (418, ImATeapot)),
        (ValueError, (None, ValueError)),
        (ExceptionGroup, (None, ExceptionGroup)),
    ],
)
def test_er1_handler_is_stored_under_code_and_class(registry: Any, key: Any, stored: Any) -> None:
    assert registry.errorhandler(key)(view) is view
    code, cls = stored
    assert registry.declared.error_handlers == {code: {cls: view}}


@pytest.mark.parametrize(
    ("key", "error", "sentence"),
    [
        (600, ValueError, "600 is not a status.*Handle a subclass of HTTPException"),
        (NotFound(), TypeError, "is an exception object. Give its class"),
        (KeyboardInterrupt, ValueError, "is not an exception class"),
        (str, ValueError, "is not an exception class"),
        ("404", ValueError, "'404' is not an exception class"),
    ],
)
def test_er1_key_that_is_none_is_refused(
    registry: Any, key: Any, error: Any, sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        registry.errorhandler(key)(view)


# --- closed: APP-10, BP-7, B-312 --------------------------------------------------------------------

CALLS = {
    "route": "/", "get": "/", "post": "/", "put": "/", "patch": "/", "delete": "/", "websocket": "/",
    "add_url_rule": "/", "add_websocket": "/", "endpoint": "x", "errorhandler": 404,
    "before_request": view, "after_request": view, "teardown_request": view,
    "before_websocket": view, "after_websocket": view, "teardown_websocket": view,
    "url_value_preprocessor": view, "url_defaults": view, "context_processor": view,
    "register_blueprint": Blueprint("nested", "shop"),
}  # fmt: skip
APP_CALLS = CALLS | {
    "add_middleware": view, "teardown_appcontext": view, "lifespan": view, "before_serving": view,
    "while_serving": view, "after_serving": view,
}  # fmt: skip
BLUEPRINT_CALLS = CALLS | {
    "record": view, "record_once": view, "app_errorhandler": 404,
    "before_app_request": view, "after_app_request": view, "teardown_app_request": view,
    "before_app_websocket": view, "after_app_websocket": view, "teardown_app_websocket": view,
    "before_app_serving": view, "while_app_serving": view, "after_app_serving": view,
    "app_context_processor": view, "app_url_value_preprocessor": view, "app_url_defaults": view,
}  # fmt: skip


@pytest.mark.parametrize(("call", "argument"), APP_CALLS.items(), ids=APP_CALLS)
async def test_app10_b312_declaring_after_the_first_request_names_the_call(
    call: str, argument: Any
) -> None:
    app = Erlen("shop", static_folder=None)
    await app.test_client().get("/")
    with pytest.raises(FrozenError, match=rf"'{call}' was called after"):
        getattr(app, call)(argument)


@pytest.mark.parametrize(("call", "argument"), BLUEPRINT_CALLS.items(), ids=BLUEPRINT_CALLS)
def test_bp7_declaring_after_the_registration_names_the_call(call: str, argument: Any) -> None:
    blueprint = Blueprint("bp", "shop")
    Erlen("shop", static_folder=None).register_blueprint(blueprint)
    with pytest.raises(FrozenError, match=rf"'{call}' was called after"):
        getattr(blueprint, call)(argument)


def test_app10_b312_error_handler_after_the_freeze_names_the_call() -> None:
    app = Erlen("shop", static_folder=None)
    app.freeze()
    with pytest.raises(FrozenError, match="'register_error_handler' was called after"):
        app.register_error_handler(404, view)


async def test_app10_contexts_for_tests_and_scripts_do_not_close(registry: Any) -> None:
    app = Erlen("shop", static_folder=None)
    async with app.app_context(), app.test_request_context("/"):
        app.get("/")(view)
    with app.app_context():
        app.before_request(view)
    assert not app.frozen


async def test_app10_startup_closes_declarations() -> None:
    app = Erlen("shop", static_folder=None)
    async with app.test_client():
        with pytest.raises(FrozenError, match="'route'"):
            app.route("/")
