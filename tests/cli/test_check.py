"""erlen check: mistakes that are found without serving."""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from click.testing import CliRunner, Result

from erlen import Blueprint, Erlen, Request
from erlen.cli.check_declarations import check_declarations
from erlen.cli.check_links import check_links
from erlen.cli.group import ScriptInfo
from erlen.cli.link_calls import UNKNOWN, LinkCall, in_python, in_templates
from erlen.cli.loader import load_app
from erlen.cli.main import main
from erlen.middleware import ProxyFix, TrustedHosts
from erlen.routing import BaseConverter
from erlen.views import MethodView


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def check(app: Erlen, *args: str) -> Result:
    runner = CliRunner(catch_exceptions=False)
    return runner.invoke(main, ["check", *args], obj=ScriptInfo(app))


# --- links ----------------------------------------------------------------------------------------


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop", static_folder=None)
    app.url_map.converters["odd"] = Odd
    app.add_url_rule("/items/<int:id>", "item", lambda **values: "", methods=["GET", "PUT"])
    app.add_url_rule("/pages/", "pages", lambda page: "", defaults={"page": 1})
    app.add_url_rule("/odd/<odd:n>", "odd", lambda n: "")
    admin = Blueprint("admin", "admin", root_path="/nowhere")
    admin.add_url_rule("/admin", "index", lambda: "")
    app.register_blueprint(admin)
    return app


class Odd(BaseConverter):
    regex = "[13579]"


def link(endpoint: str, is_open: bool = False, **values: Any) -> LinkCall:
    return LinkCall("a.py", 3, endpoint, values, is_open)


@pytest.mark.parametrize(
    "call",
    [
        link("item", id=UNKNOWN),
        link("item", id=7, q=None, page=UNKNOWN, _anchor="a", _external=True),
        link("item", is_open=True),
        link("item", id=1, _method="PUT"),
        link("item", id=1, _method=UNKNOWN),
        link("pages"),
        link("pages", page=1),
        link("odd", n=3),
        link(".index"),
        link(".item", id=1),
    ],
    ids=str,
)
def test_j19_a_link_that_works_is_no_finding(app: Erlen, call: LinkCall) -> None:
    assert [*check_links(app, [call])] == []


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (link("itme", id=1), "url_for('itme'): there is no such endpoint. Did you mean 'item'?"),
        (link("xyz"), "url_for('xyz'): there is no such endpoint."),
        (link(".nope"), "url_for('.nope'): there is no such endpoint."),
        (link("item"), "url_for('item'): the value of id is missing."),
        (link("item", id=None), "url_for('item'): the value of id is missing."),
        (link("item", id="x"), "url_for('item'): '/items/<int:id>' refuses id='x'."),
        (link("item", True, id="x"), "url_for('item'): '/items/<int:id>' refuses id='x'."),
        (link("odd", n=4), "url_for('odd'): '/odd/<odd:n>' refuses n=4."),
        (link("pages", page=2), "url_for('pages'): '/pages/' stands for {'page': 1} only."),
        (
            link("item", id=1, _method="POST"),
            "url_for('item'): none of its rules has the method 'POST'. They have GET",
        ),
    ],
    ids=str,
)
def test_j19_a_link_that_leads_nowhere_is_found(app: Erlen, call: LinkCall, text: str) -> None:
    [found] = check_links(app, [call])
    assert (found.file, found.line) == ("a.py", 3)
    assert found.text.startswith(text)


def test_j19_a_value_that_a_function_adds_is_not_missed(app: Erlen) -> None:
    app.url_defaults(lambda endpoint, values: values.setdefault("id", 1))
    assert [*check_links(app, [link("item")])] == []


def test_j19_what_a_handler_of_build_errors_answers_is_not_judged(app: Erlen) -> None:
    app.url_build_error_handlers.append(lambda *args: "/")
    assert [*check_links(app, [link("nope")])] == []


# --- where they are found -------------------------------------------------------------------------

PYTHON = """
from erlen import url_for
import erlen

def view(id, **values):
    url_for("literal", id=id, page=2)
    app.url_for("of_app"); current_app.url_for("of_current"); erlen.url_for("of_erlen")
    url_for("open", **values)
    url_for(id); url_for(7); url_for(); other.url_for("foreign"); (lambda: 0)("x")
"""


def endpoints(calls: Any) -> list[str]:
    return [getattr(call, "endpoint", getattr(call, "reason", "")) for call in calls]


def test_literal_links_of_a_package_are_found(project: Path) -> None:
    package = project / "shop"
    for folder in (package, package / ".hidden", package / "node_modules"):
        folder.mkdir()
        (folder / "never.py").write_text("url_for('never')")
    (package / "never.py").write_text(PYTHON)
    (package / "__init__.py").write_text("from erlen import Erlen\napp = Erlen(__name__)")
    calls = [*in_python(load_app("shop"))]
    assert sorted(endpoints(calls)) == ["literal", "of_app", "of_current", "of_erlen", "open"]
    literal = next(call for call in calls if call[2] == "literal")
    assert literal == LinkCall(
        str(package / "never.py"), 6, "literal", {"id": UNKNOWN, "page": 2}, False
    )


def test_of_a_single_module_what_was_imported_is_looked_at(project: Path) -> None:
    (project / "app.py").write_text(
        "from erlen import Erlen\nimport views\napp = Erlen(__name__)\n"
    )
    (project / "views.py").write_text("def view(): url_for('found')")
    (project / "test_app.py").write_text("url_for('never')")
    assert endpoints(in_python(load_app())) == ["found"]


def test_code_of_others_is_not_looked_at(project: Path) -> None:
    package = project / "site-packages" / "extension"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("url_for('never')")
    assert endpoints(in_python(Erlen("shop", root_path=str(package), static_folder=None))) == []


@pytest.mark.parametrize("source", [b"def (", b"x = '\0'"])
def test_python_that_cannot_be_parsed_is_found(project: Path, source: bytes) -> None:
    (project / "__init__.py").touch()
    (project / "broken.py").write_bytes(source)
    app = Erlen("shop", root_path=str(project), static_folder=None)
    [found] = check_links(app, in_python(app))
    assert (found.file, found.line) == (str(project / "broken.py"), 1)
    assert "This file cannot be parsed" in found.text


@pytest.fixture
def templates(project: Path) -> Path:
    folder = project / "templates"
    folder.mkdir()
    return folder


def test_literal_links_of_templates_are_found(project: Path, templates: Path) -> None:
    (templates / "a.html").write_text(
        "\n{{ url_for('item', id=i, n=1 + 1) }}{{ url_for('open', **values) }}"
        "{{ url_for(i) }}{{ url_for(7) }}{{ url_for() }}{{ other('x') }}{{ a.url_for('x') }}"
    )
    (templates / "picture.jpg").write_bytes(b"\xff\xd8")
    app = Erlen("shop", root_path=str(project), static_folder=None)
    file = str(templates / "a.html")
    assert [*in_templates(app)] == [
        LinkCall(file, 2, "item", {"id": UNKNOWN, "n": 2}, False),
        LinkCall(file, 2, "open", {}, True),
    ]


def test_a_template_that_cannot_be_parsed_is_found(project: Path, templates: Path) -> None:
    (templates / "a.html").write_text("\n{% if %}")
    result = check(Erlen("shop", root_path=str(project), static_folder=None))
    assert result.exit_code == 1
    assert result.stdout.startswith("templates/a.html:2: This file cannot be parsed: Expected")


def test_templates_of_blueprints_and_of_other_loaders_are_looked_at(project: Path) -> None:
    app = Erlen("shop", static_folder=None, template_folder=None)
    blueprint = Blueprint("admin", "admin", root_path=str(project))
    blueprint.jinja_loader = jinja2.DictLoader({"b.html": "{{ url_for('found') }}"})
    app.register_blueprint(blueprint)
    app.jinja_loader = jinja2.FunctionLoader(lambda name: None)  # it can list nothing
    assert [(call.file, call.line) for call in in_templates(app)] == [("b.html", 1)]


# --- declarations ---------------------------------------------------------------------------------


def problems(app: Erlen) -> list[str]:
    return [finding.text for finding in check_declarations(app)]


def nothing() -> None: ...


def test_functions_that_can_be_called_are_no_findings(app: Erlen) -> None:
    app.errorhandler(404)(lambda error: "")
    app.before_request(nothing)
    app.after_request(functools.partial(lambda extra, response: response, 1))
    app.teardown_appcontext(print)
    app.before_request(dict)
    app.add_url_rule("/any/<a>/<b>", "any", lambda **values: "")
    app.add_url_rule("/class/<a>", "class", MethodView.as_view("view"))
    app.add_url_rule("/build/<a>", "build", build_only=True)
    assert problems(app) == []


@pytest.mark.parametrize(
    "word",
    ["after_request", "teardown_request", "after_websocket", "teardown_websocket",
     "teardown_appcontext", "url_value_preprocessor", "url_defaults"],
)  # fmt: skip
def test_a_hook_that_takes_too_little_is_found(app: Erlen, word: str) -> None:
    getattr(app, word)(nothing)
    [found] = check_declarations(app)
    assert found.file == __file__
    assert found.line > 1
    assert "'nothing' will be called as nothing(" in found.text
    assert found.text.endswith("too many positional arguments.")


def test_an_error_handler_of_a_blueprint_is_looked_at(app: Erlen) -> None:
    blueprint = Blueprint("shop", "shop", root_path="/nowhere")
    blueprint.errorhandler(404)(functools.partial(nothing))
    app.register_blueprint(blueprint)
    [problem] = problems(app)
    assert problem.startswith("errorhandler: 'nothing' will be called as nothing(error)")


def test_a_view_that_does_not_take_the_arguments_of_its_rule_is_found(app: Erlen) -> None:
    app.add_url_rule("/user/<name>", "user", nothing)
    [problem] = problems(app)
    assert problem.startswith("the view 'nothing' does not take what the rule '/user/<name>' gives")
    app.url_value_preprocessor(lambda endpoint, values: None)  # it may take the name away
    assert problems(app) == []


class Closing:
    def __call__(self) -> None: ...


def test_objects_without_source_are_found_too(app: Erlen) -> None:
    app.teardown_appcontext(Closing())
    made: dict[str, Any] = {}
    exec("def made(): ...", made)
    app.teardown_appcontext(made["made"])
    first, second = check_declarations(app)
    assert (first.file, second.line) == (__file__, 0)


def test_a_converter_whose_regex_has_a_name_is_found(app: Erlen) -> None:
    app.url_map.converters["bad"] = type("Bad", (BaseConverter,), {"regex": "(?P<x>a)"})
    app.add_url_rule("/bad/<bad:x>", "bad", lambda x: "")
    [found] = problems(app)
    assert found.startswith("the regex of 'Bad', '(?P<x>a)', has the named group 'x'.")


# --- the command ----------------------------------------------------------------------------------


def test_an_application_without_mistakes_is_code_0(app: Erlen) -> None:
    result = check(app)
    assert (result.exit_code, result.stdout) == (0, "Nothing found in 'shop'.\n")


def test_what_the_freeze_refuses_is_found(app: Erlen) -> None:
    app.add_url_rule("/no/view", "nothing")
    result = check(app)
    assert result.exit_code == 1
    assert result.stdout.startswith("shop: SetupError: The rule '/no/view' has the endpoint")
    assert result.stderr == "1 found.\n"


# --- deployment -----------------------------------------------------------------------------------


@pytest.fixture
def safe(monkeypatch: pytest.MonkeyPatch) -> Erlen:
    monkeypatch.setenv("ERLEN_ENV", "production")
    app = Erlen("shop", static_folder=None)
    app.config.update(SECRET_KEY="a" * 32, TRUSTED_HOSTS=["shop.example"])
    return app


def test_d37_an_application_that_is_safe_is_code_0(safe: Erlen) -> None:
    assert check(safe, "--deploy").exit_code == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DEBUG", True), ("TESTING", True), ("SECRET_KEY", None), ("SECRET_KEY", "dev"),
        ("SECRET_KEY", "short"), ("TRUSTED_HOSTS", None), ("SESSION_COOKIE_SECURE", False),
        ("SESSION_COOKIE_HTTPONLY", False), ("CSRF_PROTECTION", False),
        ("MAX_CONTENT_LENGTH", None), ("MAX_CONTENT_LENGTH", 2**30 + 1), ("BODY_TIMEOUT", None),
        ("MAX_FORM_PARTS", None), ("MAX_WEBSOCKET_MESSAGE_SIZE", 2**31),
        ("MAX_QUERY_ARGS", 10**9), ("JSON_MAX_DEPTH", 10**6), ("SEND_TIMEOUT", 10.0**7),
        ("SESSION_COOKIE_SAMESITE", None), ("SESSION_COOKIE_SAMESITE", "None"),
        ("SESSION_OVERSIZE", "warn"),
    ],
)  # fmt: skip
def test_d37_an_unsafe_setting_is_found_by_name(safe: Erlen, key: str, value: Any) -> None:
    safe.config[key] = value
    result = check(safe, "--deploy")
    assert result.exit_code == 1
    starts = (f"{key}: is ", f"{key}: has ")
    assert any(line.startswith(starts) for line in result.stdout.splitlines())
    assert "short" not in result.stdout


def test_d37_what_is_not_called_production_is_found(
    safe: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ERLEN_ENV")
    safe.config["SECRET_KEY"] = "dev"
    names = [line.partition(":")[0] for line in check(safe, "--deploy").stdout.splitlines()]
    assert names == ["ERLEN_ENV", "SECRET_KEY"]


@pytest.mark.parametrize(
    ("host", "options", "found"),
    [
        ("0.0.0.0", {}, True),
        ("[::]", {}, True),
        ("shop.example", {}, True),
        ("0.0.0.0", {"trusted": ["10.0.0.0/8"]}, False),
        ("127.0.0.1", {}, False),
        ("localhost", {}, False),
        ("", {}, False),
    ],
)
def test_d37_proxies_that_are_believed_on_a_public_address_are_found(
    safe: Erlen, monkeypatch: pytest.MonkeyPatch, host: str, options: dict[str, Any], found: bool
) -> None:
    monkeypatch.setenv("ERLEN_RUN_HOST", host)
    safe.add_middleware(ProxyFix, **options)
    result = check(safe, "--deploy")
    assert ("ProxyFix: believes every peer" in result.stdout) is found


def test_d14_hosts_may_be_checked_by_middleware(safe: Erlen) -> None:
    safe.config["TRUSTED_HOSTS"] = None
    safe.add_middleware(TrustedHosts, hosts=["shop.example"])
    assert check(safe, "--deploy").exit_code == 0


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("request.max_content_length = None", "request.max_content_length is None:"),
        ("a = request.max_form_parts = None", "request.max_form_parts is None:"),
        ("websocket.max_message_size = 2 * 1024**3", "websocket.max_message_size is 2,147,483,648,"),
        ("request.max_form_files = 1 << 40", "request.max_form_files is 1,099,511,627,776,"),
        ("request.max_content_length = 64 * 1024 * 1024", ""),
        ("request.max_content_length = limit", ""),
        ("request.max_content_length = 'a' * 2", ""),
        ("request.max_content_length = None * 2", ""),
        ("request.max_content_length = True", ""),
        ("request.user = None", ""),
        ("other.max_content_length = None", ""),
        ("self.request.max_content_length = None", ""),
        ("request['max_content_length'] = None", ""),
    ],
)  # fmt: skip
def test_d37_a_limit_that_a_view_lifts_is_found(
    safe: Erlen, project: Path, line: str, found: str
) -> None:
    (project / "__init__.py").touch()
    (project / "views.py").write_text(f"def upload():\n    {line}\n")
    (project / "broken.py").write_text("def")
    told = check(safe, "--deploy").stdout
    assert ("views.py:2: " in told) is bool(found)
    assert found in told


def test_d37_a_limit_that_a_class_of_requests_lifts_is_found(safe: Erlen) -> None:
    class Unlimited(Request):
        max_content_length = None

    safe.request_class = Unlimited
    assert "Unlimited.max_content_length: is None: a client" in check(safe, "--deploy").stdout
