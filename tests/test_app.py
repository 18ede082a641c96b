"""The application: its front doors: APP-1 to APP-16, RT-3 to RT-9, EX-1."""

import inspect
import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from erlen import (
    Blueprint,
    Erlen,
    Request,
    Response,
    abort,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template_string,
    request,
)
from erlen.exceptions import (
    DuplicateRuleError,
    HTTPException,
    ImATeapot,
    NotFound,
    OutsideContextError,
    SetupError,
)
from erlen.json import DefaultJSONProvider
from erlen.json_providers import OrjsonProvider
from erlen.sessions import SessionInterface
from erlen.templating import Environment
from erlen.views import MethodView, View


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


async def call(app: Erlen, path: str = "/", method: str = "GET", **options: Any) -> Any:
    return await app.test_client().request(method, path, **options)


def view(**_: object) -> str:
    return "view"


# --- the object: APP-1 to APP-9, APP-16 -------------------------------------------------------------


def test_app1_a_new_application_is_empty(app: Erlen) -> None:
    assert (app.name, app.import_name, repr(app)) == ("shop", "shop", "<Erlen 'shop'>")
    assert [rule.rule for rule in app.url_map.iter_rules()] == ["/static/<path:filename>"]
    assert (list(app.view_functions), app.blueprints, app.extensions) == (["static"], {}, {})


def test_app3_root_path_is_the_modules_folder() -> None:
    assert Erlen(__name__, root_path="/srv/shop").root_path == "/srv/shop"
    assert Erlen("erlen.app").root_path == str(Path(inspect.getfile(Erlen)).parent)


def test_app1_arguments_may_be_given_in_flasks_order(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    app = Erlen(
        "shop", "/files", "assets", "cdn.example", True, False, "pages",
        str(tmp_path / "instance"), True, str(tmp_path),
    )  # fmt: skip
    (rule,) = app.url_map.iter_rules("static")
    assert (rule.rule, rule.host) == ("/files/<path:filename>", "cdn.example")
    assert app.static_folder == str(tmp_path / "assets")
    assert (app.url_map.host_matching, app.url_map.subdomain_matching) == (True, False)
    assert (app.template_folder, app.root_path) == ("pages", str(tmp_path))
    assert app.instance_path == app.config.root_path == str(tmp_path / "instance")


def test_app4_instance_path_must_be_absolute() -> None:
    with pytest.raises(ValueError, match="instance_path='relative' is relative"):
        Erlen("shop", instance_path="relative")


def test_app4_configuration_may_be_relative_to_the_instance(tmp_path: Path) -> None:
    app = Erlen("shop", instance_path=str(tmp_path), instance_relative_config=True)
    assert app.config.root_path == str(tmp_path)


def test_app9_attributes_are_those_of_the_configuration(app: Erlen) -> None:
    app.testing = True
    app.secret_key = "key"
    assert (app.config["TESTING"], app.config["SECRET_KEY"], app.debug) == (True, "key", False)


def test_app16_repr_names_the_class() -> None:
    class Shop(Erlen):
        pass

    assert repr(Shop("x")) == "<Shop 'x'>"


def test_ts_a_wrong_setting_is_named_at_the_freeze(app: Erlen) -> None:
    app.config["MAX_CONTENT_LENGTH"] = "16MB"
    with pytest.raises(ValueError, match="MAX_CONTENT_LENGTH is '16MB'"):
        app.freeze()


# --- serving: APP-10, APP-14 ------------------------------------------------------------------------


def test_servers_see_an_asgi_3_application(app: Erlen) -> None:
    """As uvicorn and asgiref ask."""
    assert inspect.iscoroutinefunction(app.__call__) or inspect.iscoroutinefunction(app)
    assert callable(app)


def test_calling_it_as_wsgi_says_how_to_serve_it(app: Erlen) -> None:
    with pytest.raises(TypeError, match=r"as a WSGI server calls.*serve it with 'erlen --app"):
        app({}, lambda *_: None)


async def test_app14_asgi_app_may_be_wrapped(app: Erlen) -> None:
    seen: list[str] = []

    def wrap(inner: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["type"])
            await inner(scope, receive, send)

        return middleware

    app.asgi_app = wrap(app.asgi_app)
    app.get("/")(view)
    for _ in range(2):
        assert (await call(app)).text == "view"
    assert seen == ["http", "http"]


async def test_first_added_middleware_is_outermost_and_made_once(app: Erlen) -> None:
    log: list[str] = []

    def factory(inner: Any, name: str) -> Any:
        log.append(f"make {name}")

        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            log.append(name)
            await inner(scope, receive, send)

        return middleware

    app.add_middleware(factory, name="first")
    app.add_middleware(factory, name="second")
    app.get("/")(view)
    assert log == []
    await call(app)
    await call(app)
    assert log == ["make second", "make first", "first", "second", "first", "second"]


# --- rules: RT-3 to RT-9 ----------------------------------------------------------------------------


def test_rt7_endpoint_with_another_view_is_refused(app: Erlen) -> None:
    app.add_url_rule("/a", "x", view)
    app.add_url_rule("/b", "x", view)
    with pytest.raises(SetupError, match=r"endpoint 'x'.*'/c' \(.*test_app.py:\d+\).*'view'"):
        app.add_url_rule("/c", "x", lambda: "")


def test_rt7_view_without_a_name_is_named_otherwise(app: Erlen) -> None:
    app.add_url_rule("/a", "x", partial(view))
    with pytest.raises(SetupError, match="already has the view"):
        app.add_url_rule("/b", "x", view)


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        pytest.param("no-slash", ValueError, id="RT-8-slash"),
        pytest.param("/<", ValueError, id="RT-8-malformed"),
        pytest.param("/<nope:a>", LookupError, id="RT-8-converter"),
        pytest.param("/<a>/<a>", ValueError, id="RT-8-twice"),
    ],
)
def test_rt8_malformed_rule_is_refused_at_once(app: Erlen, rule: str, error: Any) -> None:
    with pytest.raises(error):
        app.add_url_rule(rule, "x", view)


def test_rt9_rule_that_is_never_reached_is_refused(app: Erlen) -> None:
    app.get("/a")(view)
    with pytest.raises(DuplicateRuleError):
        app.route("/a", methods=["GET", "POST"], endpoint="other")(view)


async def test_rt4_endpoint_attaches_and_replaces_the_view(app: Erlen) -> None:
    app.add_url_rule("/", endpoint="home")
    app.endpoint("home")(lambda: "first")
    assert app.endpoint("home")(view) is view
    assert (await call(app)).text == "view"


def test_rule_without_a_view_is_refused_at_the_freeze(app: Erlen) -> None:
    app.add_url_rule("/home", endpoint="home")
    with pytest.raises(SetupError, match="'/home' has the endpoint 'home', which has no view"):
        app.freeze()


async def test_rule_that_is_only_built_or_redirects_needs_no_view(app: Erlen) -> None:
    app.add_url_rule("/built", endpoint="built", build_only=True)
    app.add_url_rule("/old", endpoint="old", redirect_to="/new")
    assert (await call(app, "/built")).status_code == 404
    response = await call(app, "/old")
    assert (response.status_code, response.headers["location"]) == (308, "/new")


# --- methods and OPTIONS ----------------------------------------------------------------------------


async def test_wrong_method_is_405_with_allow(app: Erlen) -> None:
    app.post("/")(view)
    response = await call(app, "/", "PUT")
    assert (response.status_code, response.headers["allow"]) == (405, "OPTIONS, POST")


async def test_automatic_options_lists_the_methods_of_all_rules(app: Erlen) -> None:
    app.get("/")(view)
    app.post("/", endpoint="save")(view)
    response = await call(app, "/", "OPTIONS")
    assert (response.status_code, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert response.content == b""


async def test_automatic_options_of_a_path_with_an_encoded_slash(app: Erlen) -> None:
    """An encoded slash is no separator: the rule of three segments is another's."""
    app.get("/<path:name>")(view)
    app.post("/<a>/<b>/<c>", endpoint="three")(view)
    response = await call(app, "/x%2Fy/z", "OPTIONS")
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_rt6_options_of_its_own_or_none(app: Erlen) -> None:
    app.route("/own", methods=["OPTIONS"])(view)
    app.get("/none", endpoint="none", provide_automatic_options=False)(view)
    assert (await call(app, "/own", "OPTIONS")).text == "view"
    assert (await call(app, "/none", "OPTIONS")).status_code == 405


async def test_app13_options_response_can_be_overridden() -> None:
    class Shop(Erlen):
        def make_default_options_response(self) -> Response:
            return Response("own", status=200)

    app = Shop("shop")
    app.get("/")(view)
    assert (await call(app, "/", "OPTIONS")).text == "own"


async def test_app13_errors_can_be_reported_elsewhere() -> None:
    reported: list[BaseException] = []

    class Shop(Erlen):
        def log_exception(self, error: BaseException) -> None:
            reported.append(error)

    app = Shop("shop")
    app.get("/")(lambda: 1 / 0)
    assert (await call(app)).status_code == 500
    assert [type(error) for error in reported] == [ZeroDivisionError]


def test_error_outside_of_an_exchange_is_logged(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        app.log_exception(ValueError("no"))
    assert caplog.records[0].getMessage() == "Exception in an application context"


def test_error_is_logged_even_without_a_context(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    app.log_exception(ValueError("no"))
    assert len(caplog.records) == 1


async def test_method_of_a_request_cannot_forge_log_lines(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    app.get("/<path:name>")(lambda name: 1 / 0)
    await call(app, "/a%E2%80%A8b")
    assert "\u2028" not in caplog.records[0].getMessage()


# --- seats: APP-7 -----------------------------------------------------------------------------------


class OwnRequest(Request):
    answer = 42


class OwnResponse(Response):
    default_mimetype = "text/own"


async def test_app7_request_and_response_class_may_be_replaced(app: Erlen) -> None:
    app.request_class = OwnRequest
    app.response_class = OwnResponse
    app.config["MAX_COOKIE_SIZE"] = 100
    app.get("/")(lambda: str(request.answer))  # type: ignore[attr-defined]  # found at run time only
    response = await call(app)
    assert response.text == "42"
    assert response.headers["content-type"].startswith("text/own")


@pytest.mark.parametrize("make", [make_response, Response, jsonify, partial(redirect, "/")])
async def test_rs10_cookies_of_every_response_are_as_large_as_configured(
    app: Erlen, make: Callable[[], Response]
) -> None:
    app.config["MAX_COOKIE_SIZE"] = 6000
    async with app.test_request_context():
        response = make()
        assert response.max_cookie_size == 6000
        response.set_cookie("a", "x" * 5000)
        with pytest.raises(ValueError, match="over the limit of 6000"):
            response.set_cookie("a", "x" * 6000)
    assert response.max_cookie_size == 4093


# --- class-based views: CB-1, CB-2 ------------------------------------------------------------------


async def test_cb2_method_view_serves_its_methods(app: Erlen) -> None:
    class Item(MethodView):
        async def get(self, number: int) -> str:
            return f"get {number}"

        def delete(self, number: int) -> str:
            return f"delete {number}"

    app.add_url_rule("/<int:number>", view_func=Item.as_view("item"))
    assert (await call(app, "/1")).text == "get 1"
    assert (await call(app, "/1", "DELETE")).text == "delete 1"
    assert (await call(app, "/1", "POST")).headers["allow"] == "DELETE, GET, HEAD, OPTIONS"


async def test_cb1_view_in_a_blueprint_has_its_hooks(app: Erlen) -> None:
    class Page(View):
        def dispatch_request(self) -> str:
            return f"{request.blueprint}"

    bp = Blueprint("bp", "shop")
    bp.add_url_rule("/", view_func=Page.as_view("page"))
    app.register_blueprint(bp)
    assert (await call(app)).text == "bp"


# --- abort: EX-1 to EX-3 ----------------------------------------------------------------------------


async def test_ex1_abort_raises_by_code_with_arguments(app: Erlen) -> None:
    @app.get("/<int:code>")
    async def aborting(code: int) -> None:
        if code == 405:
            abort(code, valid_methods=["GET"])
        abort(code, description="<why>")

    assert (await call(app, "/405")).headers["allow"] == "GET"
    response = await call(app, "/410")
    assert (response.status_code, "&lt;why&gt;" in response.text) == (410, True)


def test_ex1_unknown_code_is_the_callers_fault() -> None:
    with pytest.raises(LookupError, match=r"600. Raise a subclass"):
        abort(600)


async def test_exception_may_be_returned(app: Erlen) -> None:
    app.get("/")(lambda: ImATeapot("short and stout"))
    response = await call(app)
    assert (response.status_code, "short and stout" in response.text) == (418, True)


async def test_own_http_exception_is_answered_with_its_code(app: Erlen) -> None:
    class PaymentRequired(HTTPException):
        code = 402
        description = "Pay first."

    @app.get("/")
    async def paying() -> None:
        raise PaymentRequired

    response = await call(app)
    assert (response.status_code, "Pay first." in response.text) == (402, True)


# --- contexts and URLs ------------------------------------------------------------------------------


def test_contexts_before_and_after_the_freeze_are_alike(app: Erlen) -> None:
    app.get("/")(view)
    for _ in range(2):
        with app.test_request_context("/"):
            assert request.endpoint == "view"
        with app.app_context():
            assert current_app.name == "shop"
        app.freeze()


def test_make_response_is_there_for_extensions(app: Erlen) -> None:
    assert app.make_response(("text", 201)).status_code == 201


async def test_preprocess_request_needs_a_context(app: Erlen) -> None:
    with pytest.raises(OutsideContextError):
        await app.preprocess_request()


async def test_unknown_path_is_a_404_with_no_rules_at_all(app: Erlen) -> None:
    assert (await call(app)).status_code == NotFound.code


# --- doors ------------------------------------------------------------------------------------------


def test_app8_logger_bears_the_name_and_is_made_once(app: Erlen) -> None:
    assert app.logger.name == "shop"
    assert app.logger is app.logger
    assert not logging.getLogger().handlers or app.logger is not logging.getLogger()


def test_app8_jinja_environment_is_made_once(app: Erlen) -> None:
    assert app.jinja_env is app.jinja_env


@pytest.mark.parametrize(("mode", "content"), [("r", "é"), ("rt", "é"), ("rb", "é".encode())])
def test_app12_resources_are_read_below_the_root_path(
    tmp_path: Path, mode: str, content: object
) -> None:
    (tmp_path / "data.txt").write_text("é", encoding="utf-8")
    with Erlen("shop", root_path=str(tmp_path)).open_resource("data.txt", mode) as file:
        assert file.read() == content


def test_app12_resources_are_not_written(app: Erlen) -> None:
    with pytest.raises(ValueError, match=r"not opened with mode 'w'. Use 'r' or 'rb'"):
        app.open_resource("x", "w")


def test_app12_resources_of_the_instance_are_read_and_written(tmp_path: Path) -> None:
    app = Erlen("shop", instance_path=str(tmp_path))
    with app.open_instance_resource("data.txt", "w") as file:
        file.write("é")
    with app.open_instance_resource("data.txt") as file:
        assert file.read() == "é".encode()
    with app.open_instance_resource("data.txt", "r", encoding="latin-1") as file:
        assert file.read() == "é".encode().decode("latin-1")


# --- redirects of the router ------------------------------------------------------------------------


async def test_redirect_keeps_the_query_and_the_root_path(app: Erlen) -> None:
    app.get("/a/")(view)
    assert (await call(app, "/a?x=1&y=%20")).headers["location"] == "/a/?x=1&y=%20"
    client = app.test_client(root_path="/app")
    assert (await client.get("/a?x=1")).headers["location"] == "/app/a/?x=1"


async def test_seat_json_may_be_taken_by_another_provider(app: Erlen) -> None:
    class Provider:
        mimetype = "application/own"

        def dumps(self, value: object, /, **options: Any) -> str:
            return repr(value)

        def loads(self, text: str | bytes, /, **options: Any) -> Any:
            return text

        def encode(self, value: object, /) -> bytes:
            return repr(value).encode()

    app.json = Provider()
    app.get("/")(lambda: {"a": 1})
    response = await call(app)
    assert (response.text, response.headers["content-type"]) == ("{'a': 1}", "application/own")


@pytest.mark.parametrize("key", ["host", "subdomain"])
def test_mw5_domain_of_a_rule_that_would_not_be_matched_is_refused(key: str) -> None:
    options: dict[str, Any] = {key: "api"}
    with pytest.raises(SetupError, match=rf"has {key}='api', but .*{key}_matching=True"):
        Erlen("shop").add_url_rule("/", "home", lambda: "", **options)


# --- templates and threads: TP-6, TP-7, SY-2 --------------------------------------------------------


async def test_tp6_words_are_taken_with_and_without_parentheses(app: Erlen) -> None:
    @app.template_filter
    def shout(text: str) -> str:
        return text.upper()

    app.template_global("answer")(lambda: 42)
    app.template_test("odd_one")(lambda value: value == 3)
    async with app.app_context():
        source = "{{ 'a'|shout }} {{ answer() }} {{ 3 is odd_one }}"
        assert await render_template_string(source) == "A 42 True"


async def test_tp6_words_may_come_after_the_environment(app: Erlen) -> None:
    assert app.jinja_env.filters
    app.add_template_filter(str.upper, "shout")
    async with app.app_context():
        assert await render_template_string("{{ 'a'|shout }}") == "A"


def test_tp7_an_environment_of_ones_own_class(app: Erlen) -> None:
    class Own(Environment):
        pass

    app.jinja_environment = Own
    assert type(app.jinja_env) is Own


async def test_sy2_a_def_function_is_made_awaitable(app: Erlen) -> None:
    async with app.test_request_context():
        assert await app.ensure_async(threading.get_ident)() != threading.get_ident()


def test_js1_the_seat_takes_a_class_of_ones_own() -> None:
    class Shop(Erlen):
        json_provider_class = OrjsonProvider

    assert type(Shop("shop").json) is OrjsonProvider


def test_se3_tp7_seats_may_be_filled_by_a_subclass() -> None:
    class Shop(Erlen):
        session_interface = SessionInterface()
        jinja_options = {"trim_blocks": True}  # noqa: RUF012  # as in Flask

    shop = Shop("shop")
    assert shop.session_interface is Shop.session_interface
    assert shop.jinja_env.trim_blocks
    shop.jinja_options["lstrip_blocks"] = True
    assert Shop.jinja_options == {"trim_blocks": True}


@pytest.mark.parametrize(
    ("name", "kind"), [("orjson", OrjsonProvider), ("json", DefaultJSONProvider)]
)
async def test_js1_a_library_is_taken_by_its_name(app: Erlen, name: str, kind: type) -> None:
    app.config["JSON_PROVIDER"] = name
    app.add_url_rule("/json", "json", lambda: {"a": 1})
    response = await call(app, "/json")
    assert (response.text, type(app.json)) == ('{"a":1}', kind)
