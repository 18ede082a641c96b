"""``url_for`` in all its forms: URL-1 to URL-16, pains 47."""

from typing import Any

import pytest

from erlen import Blueprint, Erlen, g, request, url_for, websocket
from erlen.exceptions import BuildError


def view(**_: object) -> str:
    return ""


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.add_url_rule("/", "index", view)
    app.add_url_rule("/item/<int:number>", "item", view)
    app.add_url_rule("/save/<int:number>", "item", view, methods=["POST"])
    app.add_url_rule("/page/", "page", view, defaults={"number": 1})
    app.add_url_rule("/page/<int:number>", "page", view)
    app.add_websocket("/socket", "socket", view)
    bp = Blueprint("bp", "shop", url_prefix="/bp")
    bp.add_url_rule("/x", "x", view)
    child = Blueprint("child", "shop", url_prefix="/child")
    child.add_url_rule("/x", "x", view)
    bp.register_blueprint(child)
    app.register_blueprint(bp)
    return app


# --- inside a request -------------------------------------------------------------------------------

FORMS: list[tuple[str, str, dict[str, Any], str]] = [
    ("URL-3-path", "index", {}, "/"),
    ("URL-3-value", "item", {"number": 7}, "/item/7"),
    ("URL-3-external", "item", {"number": 7, "_external": True}, "http://localhost/item/7"),
    ("URL-4-scheme", "index", {"_scheme": "https"}, "https://localhost/"),
    ("URL-4-scheme-and-external", "index", {"_scheme": "https", "_external": True}, "https://localhost/"),
    ("URL-5-anchor", "index", {"_anchor": "a b/é"}, "/#a%20b/%C3%A9"),
    ("URL-5-empty-anchor", "index", {"_anchor": ""}, "/#"),
    ("URL-6-method", "item", {"number": 7, "_method": "POST"}, "/save/7"),
    ("URL-7-default", "page", {}, "/page/"),
    ("URL-7-default-value", "page", {"number": 1}, "/page/"),
    ("URL-7-other-value", "page", {"number": 2}, "/page/2"),
    ("URL-8-unknown-values", "index", {"q": "a b", "x": None, "l": [1, 2]}, "/?q=a+b&l=1&l=2"),
    ("URL-1-endpoint-as-a-value", "index", {"self": "s"}, "/?self=s"),
    ("URL-10-websocket", "socket", {}, "ws://localhost/socket"),
    ("URL-10-secure-websocket", "socket", {"_scheme": "https"}, "wss://localhost/socket"),
    ("URL-2-dot-outside-a-blueprint", ".index", {}, "/"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "values", "expected"), [pytest.param(*row[1:], id=row[0]) for row in FORMS]
)
def test_url_inside_a_request(app: Erlen, endpoint: str, values: Any, expected: str) -> None:
    with app.test_request_context("/"):
        assert url_for(endpoint, **values) == expected
        assert app.url_for(endpoint, **values) == expected


def test_url1_the_methods_first_argument_leaves_the_name_free(app: Erlen) -> None:
    assert app.url_for("index", endpoint="e", _external=False) == "/?endpoint=e"


@pytest.mark.parametrize(
    ("path", "endpoint", "expected"),
    [
        ("/bp/x", ".x", "/bp/x"),
        ("/bp/child/x", ".x", "/bp/child/x"),
        ("/bp/x", ".child.x", "/bp/child/x"),
        ("/bp/child/x", "bp.x", "/bp/x"),
        ("/bp/child/x", "index", "/"),
    ],
)
def test_url2_leading_dot_means_the_running_blueprint(
    app: Erlen, path: str, endpoint: str, expected: str
) -> None:
    with app.test_request_context(path):
        assert url_for(endpoint) == expected


def test_url3_root_path_stands_in_front(app: Erlen) -> None:
    with app.test_request_context("/", base_url="https://example.com/shop"):
        assert url_for("index") == "/shop/"
        assert url_for("index", _external=True) == "https://example.com/shop/"


def test_url4_scheme_of_one_url_is_not_that_of_the_next(app: Erlen) -> None:
    with app.test_request_context("/"):
        built = [url_for("index", _scheme=scheme) for scheme in ("https", "http", "https")]
        assert built == ["https://localhost/", "http://localhost/", "https://localhost/"]
        assert url_for("index") == "/"


def test_url4_scheme_of_a_path_is_refused(app: Erlen) -> None:
    with pytest.raises(ValueError, match="_scheme='https' was given with _external=False"):
        app.url_for("index", _scheme="https", _external=False)


def test_url6_current_method_is_preferred(app: Erlen) -> None:
    with app.test_request_context("/", method="POST"):
        assert url_for("item", number=1) == "/save/1"
        assert url_for("index") == "/"


async def test_url10_inside_a_websocket(app: Erlen) -> None:
    @app.websocket("/all")
    async def all_forms() -> None:
        await websocket.send(url_for("index"))
        await websocket.send(url_for("index", _external=True))
        await websocket.send(url_for("socket"))

    async with app.test_client().websocket("wss://localhost/all") as session:
        received = [await session.receive() for _ in range(3)]
    assert received == ["/", "https://localhost/", "wss://localhost/socket"]


# --- outside ----------------------------------------------------------------------------------------


def test_pains47_path_needs_nothing_but_the_application(app: Erlen) -> None:
    assert app.url_for("item", number=7) == "/item/7"
    with app.app_context():
        assert url_for("item", number=7) == "/item/7"


@pytest.mark.parametrize(
    ("endpoint", "values"),
    [
        pytest.param("index", {"_external": True}, id="external"),
        pytest.param("index", {"_scheme": "https"}, id="scheme"),
        pytest.param("socket", {}, id="websocket"),
    ],
)
def test_url3_whole_url_without_a_host_is_refused(app: Erlen, endpoint: str, values: Any) -> None:
    with pytest.raises(RuntimeError, match=r"needs a host.*Set SERVER_NAME.*or pass _external"):
        app.url_for(endpoint, **values)


def test_url3_server_name_makes_urls_external(app: Erlen) -> None:
    app.config.update(
        SERVER_NAME="example.com", APPLICATION_ROOT="/shop", PREFERRED_URL_SCHEME="https"
    )
    assert app.url_for("index") == "https://example.com/shop/"
    assert app.url_for("index", _external=False) == "/shop/"
    assert app.url_for("index", _scheme="http") == "http://example.com/shop/"
    assert app.url_for("socket") == "wss://example.com/shop/socket"


def test_url_of_another_application_is_built_as_outside(app: Erlen) -> None:
    other = Erlen("other")
    other.add_url_rule("/other", "index", view)
    with app.test_request_context("/", base_url="http://example.com/root"):
        assert other.url_for("index") == "/other"


# --- hosts: URL-11 ----------------------------------------------------------------------------------


@pytest.fixture
def by_host() -> Erlen:
    app = Erlen("shop", host_matching=True, static_folder=None)
    app.add_url_rule("/", "www", view, host="www.example.com")
    app.add_url_rule("/", "user", view, host="<name>.example.com")
    return app


def test_url11_rule_of_another_host_is_external(by_host: Erlen) -> None:
    with by_host.test_request_context("/", base_url="https://www.example.com"):
        assert request.endpoint == "www"
        assert url_for("www") == "/"
        assert url_for("user", name="ann") == "https://ann.example.com/"


def test_url11_rule_that_names_its_host_needs_no_server_name(by_host: Erlen) -> None:
    assert by_host.url_for("www") == "http://www.example.com/"


def test_rule_without_a_host_needs_a_server_name_among_hosts() -> None:
    app = Erlen("shop", host_matching=True, static_folder=None)
    app.add_url_rule("/", "any", view)
    with pytest.raises(RuntimeError, match="needs a host"):
        app.url_for("any", _external=True)


@pytest.fixture
def by_subdomain() -> Erlen:
    app = Erlen("shop", subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    app.add_url_rule("/", "index", view)
    app.add_url_rule("/", "api", view, subdomain="api")
    app.add_url_rule("/", "user", view, subdomain="<name>")
    return app


def test_url11_rule_of_another_subdomain_is_external(by_subdomain: Erlen) -> None:
    with by_subdomain.test_request_context("/"):
        assert url_for("index") == "/"
        assert url_for("api") == "http://api.example.com/"
        assert url_for("user", name="ann") == "http://ann.example.com/"


def test_url11_rule_of_the_current_subdomain_is_a_path(by_subdomain: Erlen) -> None:
    with by_subdomain.test_request_context("/", subdomain="api"):
        assert request.endpoint == "api"
        assert url_for("api") == "/"
        assert url_for("index") == "http://example.com/"
        assert url_for("api", _external=True) == "http://api.example.com/"


async def test_automatic_options_knows_the_subdomain(by_subdomain: Erlen) -> None:
    by_subdomain.add_url_rule("/only", "only", view, subdomain="api", methods=["POST"])
    client = by_subdomain.test_client(base_url="http://api.example.com")
    assert (await client.options("/only")).headers["allow"] == "OPTIONS, POST"


# --- hooks: URL-12 ----------------------------------------------------------------------------------


async def test_url12_defaults_of_the_endpoints_scopes_run_from_the_outside_in() -> None:
    app, seen = Erlen("shop"), []
    parent, child = Blueprint("p", "shop"), Blueprint("c", "shop")
    child.add_url_rule("/<lang>/x", "x", view)
    app.add_url_rule("/y", "y", view)
    for scope, name in ((child, "c"), (app, "app"), (parent, "p")):
        scope.url_defaults(lambda endpoint, values, name=name: seen.append(name))
    child.url_defaults(lambda endpoint, values: values.setdefault("lang", "de"))
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    assert app.url_for("p.c.x") == "/de/x"
    assert seen == ["app", "p", "c"]
    seen.clear()
    assert app.url_for("y") == "/y"
    assert seen == ["app"]


async def test_url12_language_prefix_of_the_documentation_works() -> None:
    app = Erlen("shop")
    bp = Blueprint("bp", "shop", url_prefix="/<lang>")

    @bp.url_value_preprocessor
    def pull(endpoint: str | None, values: Any) -> None:
        g.lang = values.pop("lang")

    bp.url_defaults(lambda endpoint, values: values.setdefault("lang", g.lang))
    bp.get("/page")(lambda: url_for(".other"))
    bp.add_url_rule("/other", "other", view)
    app.register_blueprint(bp)
    assert (await app.test_client().get("/fr/page")).text == "/fr/other"


# --- errors: URL-13, URL-14 -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "values", "sentence"),
    [
        ("itme", {}, "'itme'. Did you mean 'item' instead"),
        ("item", {}, r"forget to specify values \['number'\]"),
        ("index", {"_method": "PUT"}, "'PUT'.*Did you mean to use methods"),
        (".x", {}, "'.x'"),
    ],
)
def test_url13_what_cannot_be_built_says_why(
    app: Erlen, endpoint: str, values: Any, sentence: str
) -> None:
    with pytest.raises(BuildError, match=sentence):
        app.url_for(endpoint, **values)


def test_url14_handler_answers_with_everything_that_was_given(app: Erlen) -> None:
    seen: list[Any] = []
    app.url_build_error_handlers.append(lambda *given: seen.append(given))
    app.url_build_error_handlers.append(lambda *_: "/from/handler")
    with app.test_request_context("/"):
        assert url_for("nope", q=1, _anchor="a") == "/from/handler"
    error, endpoint, values = seen[0]
    assert (type(error), endpoint) == (BuildError, "nope")
    assert values == {
        "q": 1, "_anchor": "a", "_method": None, "_scheme": None, "_external": None,
    }  # fmt: skip


def test_url14_original_error_is_raised_when_all_handlers_pass(app: Erlen) -> None:
    def refuse(error: BuildError, endpoint: str, values: Any) -> str:
        raise BuildError("another", {})

    app.url_build_error_handlers += [refuse, lambda *_: None]
    with pytest.raises(BuildError, match="'nope'"):
        app.url_for("nope")


def test_url14_other_error_of_a_handler_is_its_own(app: Erlen) -> None:
    app.url_build_error_handlers.append(lambda *_: dict[str, str]()["key"])
    with pytest.raises(KeyError):
        app.url_for("nope")
