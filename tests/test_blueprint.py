"""Blueprints: BP-1 to BP-9, BP-14, HK-3."""

from typing import Any

import pytest

from erlen import Blueprint, Erlen, Response, g, render_template_string, request, url_for
from erlen.blueprint import BlueprintSetupState, join_prefix
from erlen.exceptions import SetupError


def noted(log: list[Any], entry: Any, value: Any) -> Any:
    """Append *entry* to *log* and return *value*: what a lambda cannot say otherwise."""
    log.append(entry)
    return value


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop", static_folder=None)


async def get(app: Erlen, path: str = "/", **options: Any) -> Any:
    return await app.test_client().get(path, **options)


def view(**_: object) -> str:
    return ""


def rules(app: Erlen) -> list[tuple[str, str]]:
    return [(rule.rule, rule.endpoint) for rule in app.url_map.iter_rules()]


# --- making: BP-1 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "a.b", "."])
def test_bp1_name_is_one_word(name: str) -> None:
    with pytest.raises(ValueError, match=r"is empty or has a dot. Give one word"):
        Blueprint(name, "shop")


def test_bp1_arguments_may_be_given_in_flasks_order() -> None:
    bp = Blueprint(
        "shop", "shop", "static", "/files", "pages", "/shop", "www", {"lang": "de"}, "/srv", "tools"
    )
    assert (bp.name, bp.import_name, bp.static_folder) == ("shop", "shop", "/srv/static")
    assert (bp.static_url_path, bp.template_folder) == ("/files", "pages")
    assert (bp.url_prefix, bp.subdomain) == ("/shop", "www")
    assert (bp.url_values_defaults, bp.root_path, bp.cli_group) == ({"lang": "de"}, "/srv", "tools")


def test_app_blueprints_come_in_the_order_of_registration(app: Erlen) -> None:
    parent, child, other = (Blueprint(name, "shop") for name in ("parent", "child", "other"))
    parent.register_blueprint(child)
    app.register_blueprint(other)
    app.register_blueprint(parent)
    assert list(app.iter_blueprints()) == [other, parent, child]


def test_bp1_a_blueprint_is_named_in_its_repr() -> None:
    assert repr(Blueprint("bp", __name__)) == "<Blueprint 'bp'>"


# --- rules: BP-2 to BP-5 ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "rule", "expected"),
    [
        (None, "/x", "/x"),
        ("/p", "/x", "/p/x"),
        ("/p/", "/x", "/p/x"),
        ("/p", "x", "/p/x"),
        ("/p", "", "/p"),
        ("/p/", "", "/p/"),
        ("/p", "/", "/p/"),
        ("/", "/x", "/x"),
        ("", "/x", "/x"),
    ],
)
def test_bp4_prefix_is_joined_with_one_slash(prefix: str | None, rule: str, expected: str) -> None:
    assert join_prefix(prefix, rule) == expected


def test_bp3_endpoint_has_the_name_in_front(app: Erlen) -> None:
    bp = Blueprint("bp", "shop", url_prefix="/p")
    bp.get("/x")(view)
    bp.get("", endpoint="home")(view)
    app.register_blueprint(bp)
    assert rules(app) == [("/p/x", "bp.view"), ("/p", "bp.home")]


def test_bp3_endpoint_with_a_dot_is_refused() -> None:
    bp = Blueprint("bp", "shop")
    with pytest.raises(ValueError, match=r"'a.b' has a dot.*Give endpoint= without one"):
        bp.add_url_rule("/", "a.b", view)
    with pytest.raises(ValueError, match=r"'a.b' has a dot"):
        bp.endpoint("a.b")


def test_bp2_options_of_the_registration_win(app: Erlen) -> None:
    bp = Blueprint("bp", "shop", url_prefix="/p", url_defaults={"a": 1, "b": 1})
    bp.add_url_rule("/<a>/<c>", "x", view, defaults={"c": 3})
    app.register_blueprint(bp, url_prefix="/q", url_defaults={"b": 2}, name="other")
    (rule,) = app.url_map.iter_rules()
    assert (rule.rule, rule.endpoint, rule.defaults) == (
        "/q/<a>/<c>", "other.x", {"a": 1, "b": 2, "c": 3},
    )  # fmt: skip


def test_bp5_default_of_the_rule_wins(app: Erlen) -> None:
    bp = Blueprint("bp", "shop", url_defaults={"a": 1})
    bp.add_url_rule("/", "x", view, defaults={"a": 2})
    bp.add_url_rule("/y", "y", view)
    app.register_blueprint(bp)
    assert [rule.defaults for rule in app.url_map.iter_rules()] == [{"a": 2}, {"a": 1}]


def test_bp_subdomain_is_given_to_the_rules() -> None:
    app = Erlen("shop", subdomain_matching=True, static_folder=None)
    bp = Blueprint("bp", "shop", subdomain="api")
    bp.add_url_rule("/", "x", view)
    bp.add_url_rule("/", "y", view, subdomain="www")
    app.register_blueprint(bp)
    assert [rule.subdomain for rule in app.url_map.iter_rules()] == ["api", "www"]


async def test_bp14_endpoint_attaches_a_view(app: Erlen) -> None:
    bp = Blueprint("bp", "shop")
    bp.add_url_rule("/", endpoint="home")
    assert bp.endpoint("home")(view) is view
    app.register_blueprint(bp)
    app.register_blueprint(bp, name="second", url_prefix="/second")
    assert (await get(app)).status_code == 200
    assert (await get(app, "/second/")).status_code == 200


# --- registering: BP-6, BP-8 ------------------------------------------------------------------------


def test_bp6_same_name_twice_is_refused(app: Erlen) -> None:
    bp = Blueprint("bp", "shop")
    app.register_blueprint(bp)
    with pytest.raises(
        SetupError, match=r"'bp' is already registered for this blueprint. Pass name="
    ):
        app.register_blueprint(bp)
    with pytest.raises(SetupError, match="for a different blueprint"):
        app.register_blueprint(Blueprint("bp", "shop"))


@pytest.mark.parametrize("name", ["", "a.b"])
def test_bp2_given_name_is_one_word_too(app: Erlen, name: str) -> None:
    with pytest.raises(ValueError, match="is empty or has a dot"):
        app.register_blueprint(Blueprint("bp", "shop"), name=name)


async def test_bp6_same_blueprint_under_two_names_is_two(app: Erlen) -> None:
    bp = Blueprint("bp", "shop", url_prefix="/a")
    bp.get("/x")(lambda: f"{request.blueprint} {url_for('.<lambda>')} {g.hook}")
    bp.before_request(lambda: setattr(g, "hook", request.blueprint))
    app.register_blueprint(bp)
    app.register_blueprint(bp, name="b", url_prefix="/b")
    assert list(app.blueprints.items()) == [("bp", bp), ("b", bp)]
    assert (await get(app, "/a/x")).text == "bp /a/x bp"
    assert (await get(app, "/b/x")).text == "b /b/x b"


def test_bp8_record_once_is_for_the_first_registration(app: Erlen) -> None:
    once: list[bool] = []
    bp = Blueprint("bp", "shop")
    bp.record_once(lambda state: once.append(state.first_registration))
    app.register_blueprint(bp)
    app.register_blueprint(bp, name="second")
    assert once == [True]


def test_bp8_recorded_functions_get_the_state(app: Erlen) -> None:
    states: list[BlueprintSetupState] = []
    bp = Blueprint("bp", "shop", url_prefix="/p", subdomain="s")
    bp.record(states.append)
    app.register_blueprint(bp, extra=1, url_defaults={"a": 1})
    app.register_blueprint(bp, name="second", url_prefix="/q", subdomain="t")
    first, second = states
    assert (first.app, first.blueprint, first.first_registration) == (app, bp, True)
    assert (first.options["extra"], first.url_defaults) == (1, {"a": 1})
    assert (first.name, first.name_prefix, first.url_prefix, first.subdomain) == (
        "bp",
        "",
        "/p",
        "s",
    )
    assert (second.name, second.first_registration, second.url_prefix, second.subdomain) == (
        "second", False, "/q", "t",
    )  # fmt: skip


def test_bp8_state_registers_rules_by_hand(app: Erlen) -> None:
    bp = Blueprint("bp", "shop", url_prefix="/p")
    bp.record(lambda state: state.add_url_rule("/x", view_func=view))
    app.register_blueprint(bp)
    assert rules(app) == [("/p/x", "bp.view")]


def test_bp8_state_refuses_an_endpoint_with_a_dot(app: Erlen) -> None:
    bp = Blueprint("bp", "shop")
    bp.record(lambda state: state.add_url_rule("/x", "a.b", view))
    with pytest.raises(ValueError, match="has a dot"):
        app.register_blueprint(bp)


def test_bp8_state_class_may_be_replaced(app: Erlen) -> None:
    class State(BlueprintSetupState):
        pass

    class Own(Blueprint):
        def make_setup_state(self, *given: Any, **options: Any) -> BlueprintSetupState:
            return State(self, *given, **options)

    states: list[Any] = []
    bp = Own("bp", "shop")
    bp.record(states.append)
    app.register_blueprint(bp)
    assert isinstance(states[0], State)


def test_same_blueprint_is_first_in_each_application() -> None:
    states: list[bool] = []
    bp = Blueprint("bp", "shop")
    bp.record(lambda state: states.append(state.first_registration))
    for _ in range(2):
        Erlen("shop", static_folder=None).register_blueprint(bp)
    assert states == [True, True]


# --- nesting: BP-9 ----------------------------------------------------------------------------------


def test_bp9_blueprint_on_itself_is_refused() -> None:
    bp = Blueprint("bp", "shop")
    with pytest.raises(SetupError, match=r"'bp' was registered on itself. Register it on another"):
        bp.register_blueprint(bp)


@pytest.mark.parametrize(
    ("parent", "child", "given", "expected"),
    [
        ("/p", "/c", None, "/p/c/x"),
        ("/p/", "/c/", None, "/p/c/x"),
        ("/p", None, None, "/p/x"),
        (None, "/c", None, "/c/x"),
        (None, None, None, "/x"),
        ("/p", "/c", "/d", "/p/d/x"),
        ("/p", "/c", "", "/p/x"),
    ],
)
def test_bp9_prefixes_are_joined(
    app: Erlen, parent: Any, child: Any, given: Any, expected: str
) -> None:
    outer, inner = (
        Blueprint("p", "shop", url_prefix=parent),
        Blueprint("c", "shop", url_prefix=child),
    )
    inner.add_url_rule("/x", "x", view)
    outer.register_blueprint(inner, **({} if given is None else {"url_prefix": given}))
    app.register_blueprint(outer)
    assert rules(app) == [(expected, "p.c.x")]
    assert list(app.blueprints) == ["p", "p.c"]


@pytest.mark.parametrize(
    ("parent", "child", "expected"),
    [("p", "c", "c.p"), ("p", None, "p"), (None, "c", "c"), (None, None, "")],
)
def test_bp9_subdomains_are_joined(parent: Any, child: Any, expected: str) -> None:
    app = Erlen("shop", subdomain_matching=True, static_folder=None)
    outer, inner = Blueprint("p", "shop", subdomain=parent), Blueprint("c", "shop", subdomain=child)
    inner.add_url_rule("/x", "x", view)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    (rule,) = app.url_map.iter_rules()
    assert (rule.subdomain or "") == expected


def test_bp9_child_keeps_its_own_url_defaults(app: Erlen) -> None:
    outer = Blueprint("p", "shop", url_defaults={"lang": "en"})
    inner = Blueprint("c", "shop", url_defaults={"a": 1})
    inner.add_url_rule("/x", "x", view)
    outer.register_blueprint(inner, url_defaults={"b": 2})
    app.register_blueprint(outer)
    (rule,) = app.url_map.iter_rules()
    assert rule.defaults == {"a": 1, "b": 2}


async def test_bp9_request_knows_its_blueprints(app: Erlen) -> None:
    outer, inner = Blueprint("p", "shop"), Blueprint("c", "shop")
    inner.get("/")(lambda: [request.blueprint, *request.blueprints])
    outer.register_blueprint(inner, name="renamed")
    app.register_blueprint(outer)
    assert (await get(app)).json() == ["p.renamed", "p.renamed", "p"]


async def test_bp9_blueprint_in_two_parents_is_declared_for_the_app_once(app: Erlen) -> None:
    log: list[str] = []
    inner = Blueprint("c", "shop", url_prefix="/c")
    inner.get("/")(view)
    inner.before_app_request(lambda: log.append("hook"))
    for name in ("p", "q"):
        outer = Blueprint(name, "shop", url_prefix=f"/{name}")
        outer.register_blueprint(inner)
        app.register_blueprint(outer)
    assert (await get(app, "/q/c/")).status_code == 200
    assert log == ["hook"]


def test_child_may_declare_after_it_was_nested(app: Erlen) -> None:
    outer, inner = Blueprint("p", "shop"), Blueprint("c", "shop")
    outer.register_blueprint(inner)
    inner.get("/x")(view)
    app.register_blueprint(outer)
    assert rules(app) == [("/x", "p.c.view")]


# --- hooks of the whole application: HK-3 -----------------------------------------------------------


async def test_hk3_hooks_of_the_application_run_for_every_path_and_once(app: Erlen) -> None:
    log: list[str] = []
    bp = Blueprint("bp", "shop")
    bp.before_app_request(lambda: log.append("before"))
    bp.after_app_request(lambda response: noted(log, "after", response))
    bp.teardown_app_request(lambda error: log.append("teardown"))
    bp.app_url_value_preprocessor(lambda *_: log.append("preprocessor"))
    app.register_blueprint(bp)
    app.register_blueprint(bp, name="second")
    assert (await get(app, "/nope")).status_code == 404
    assert log == ["preprocessor", "before", "after", "teardown"]


async def test_hk3_websocket_hooks_of_the_application_run(app: Erlen) -> None:
    log: list[str] = []
    bp = Blueprint("bp", "shop")
    bp.before_app_websocket(lambda: log.append("before"))
    bp.after_app_websocket(lambda response: log.append("after"))
    bp.teardown_app_websocket(lambda error: log.append("teardown"))
    app.register_blueprint(bp)
    app.websocket("/")(view)
    client = app.test_client()
    with pytest.raises(Exception, match="403"):
        async with client.websocket("/"):
            pass
    assert log[0] == "before"
    assert log[-1] == "teardown"


async def test_hk3_serving_hooks_of_the_application_run(app: Erlen) -> None:
    log: list[str] = []
    bp = Blueprint("bp", "shop")
    bp.before_app_serving(lambda: log.append("before"))
    bp.after_app_serving(lambda: log.append("after"))

    @bp.while_app_serving
    async def around() -> Any:
        log.append("start")
        yield
        log.append("end")

    app.register_blueprint(bp)
    async with app.test_client():
        assert log == ["before", "start"]
    assert log == ["before", "start", "end", "after"]


async def test_hk3_handlers_and_values_of_the_application(app: Erlen) -> None:
    bp = Blueprint("bp", "shop")
    assert bp.app_errorhandler(404)(handler) is handler
    bp.app_url_defaults(lambda endpoint, values: values.setdefault("lang", "de"))
    assert bp.app_context_processor(view) is view
    app.register_blueprint(bp)
    app.add_url_rule("/<lang>/x", "x", view)
    assert (await get(app, "/nope")).text == "handled"
    assert app.url_for("x") == "/de/x"
    assert app.declared.context_processors == [view]


def handler(error: Exception) -> str:
    return "handled"


async def test_hooks_of_a_blueprint_run_for_its_endpoints_only(app: Erlen) -> None:
    bp = Blueprint("bp", "shop", url_prefix="/bp")
    bp.get("/")(view)

    @bp.after_request
    async def mark(response: Response) -> Response:
        response.headers["x-bp"] = "1"
        return response

    app.get("/")(view)
    app.register_blueprint(bp)
    assert "x-bp" in (await get(app, "/bp/")).headers
    assert "x-bp" not in (await get(app, "/")).headers
    assert "x-bp" not in (await get(app, "/bp/nope")).headers


# --- templates: TP-6, HK-3 --------------------------------------------------------------------------


async def test_tp6_words_of_a_blueprint_are_for_every_template(app: Erlen) -> None:
    bp = Blueprint("bp", "shop")
    bp.app_template_filter("shout")(str.upper)

    @bp.app_template_global
    def twice(value: int) -> int:
        return 2 * value

    bp.app_template_test()(lambda_named("even", lambda value: value % 2 == 0))
    app.register_blueprint(bp)
    app.register_blueprint(bp, name="again")
    async with app.app_context():
        text = await render_template_string("{{ 'a'|shout }}{{ twice(2) }}{{ 4 is even }}")
    assert text == "A4True"


def lambda_named(name: str, function: Any) -> Any:
    """Return a lambda under the name by which a decorator without arguments takes it."""
    function.__name__ = name
    return function
