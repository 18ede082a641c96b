"""erlen routes: the table, JSON, and what becomes of a request."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from erlen import Erlen
from erlen.cli.explain import explain
from erlen.cli.group import ScriptInfo
from erlen.cli.main import main
from erlen.routing import BaseConverter, ValidationError
from erlen.routing.rule import Rule


class Even(BaseConverter):
    def to_python(self, value: str) -> int:
        if int(value) % 2:
            raise ValidationError
        return int(value)


async def other(scope: Any, receive: Any, send: Any) -> None: ...


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop", static_folder=None)
    app.url_map.converters["even"] = Even
    rules: list[tuple[str, str, dict[str, Any]]] = [
        ("/items/<int:id>", "item", {}),
        ("/items/<name>", "named", {"methods": ["POST"]}),
        ("/items/new", "new", {}),
        ("/list/", "list", {}),
        ("/page/<int(max=5):n>/<x>-<y>", "page", {}),
        ("/even/<even:n>", "even", {}),
        ("/strict/<a>", "strict", {"merge_slashes": False}),
        ("/files/<path:p>", "files", {}),
        ("/live", "live", {"websocket": True}),
        ("/built", "built", {"build_only": True}),
    ]
    for rule, endpoint, options in rules:
        app.add_url_rule(rule, endpoint, lambda **values: "", **options)
    app.mount("/sub", other)
    return app


def routes(app: Erlen, *args: str) -> Result:
    return CliRunner(catch_exceptions=False).invoke(main, ["routes", *args], obj=ScriptInfo(app))


@pytest.mark.parametrize(
    ("request_", "outcome", "reasons"),
    [
        ("GET /items/7", "item(id=7)", {"named": "it has the methods OPTIONS, POST only"}),
        (
            "GET /items/new",
            "new()",
            {
                "item": "the converter 'int' of <id> refuses 'new'",
                "named": "it has the methods OPTIONS, POST only",
            },
        ),
        (
            "POST /items/7",
            "named(name='7')",
            {"item": "it has the methods GET, HEAD, OPTIONS only"},
        ),
        ("GET /list", "308 redirect to /list/", {"list": "it answers where the redirect leads"}),
        (
            "GET /page/9/a",
            "404 Not Found",
            {
                "page": "the converter 'int' of <n> refuses '9' (The number is outside of the "
                "rule's range, min=None and max=5. Give one within.); "
                "'a' does not split into <x> and <y>"
            },
        ),
        ("GET /even/3", "404 Not Found", {"even": "the converter 'even' of <n> refuses '3'"}),
        ("GET /items/7/", "404 Not Found", {
            "item": "the path ends with a slash, and the rule does not",
            "named": "the path ends with a slash, and the rule does not; "
            "it has the methods OPTIONS, POST only",
            "new": None,
        }),
        ("GET /strict//a", "404 Not Found", {
            "strict": "the path has empty segments, and the rule does not merge slashes",
        }),
        ("GET /files/a/b/", "files(p='a/b/')", {}),
        ("GET /files/a%2Fb", "files(p='a/b')", {}),
        ("GET /items/a%2Fb", "404 Not Found", {
            "item": "the converter 'int' of <id> refuses 'a%2Fb'",
            "named": "the converter 'default' of <name> refuses 'a%2Fb'; "
            "it has the methods OPTIONS, POST only",
        }),
        ("GET /live", "400 Bad Request", {"live": "it is for WebSockets"}),
        ("WEBSOCKET /live", "live()", {}),
        ("WEBSOCKET /items/7", "400 Bad Request", {
            "item": "it is not for WebSockets", "named": "it is not for WebSockets",
        }),
        ("GET /sub/x", "the application mounted at '/sub'", {}),
        ("GET /%ff", "400 Bad Request", {}),
        ("GET /nothing", "404 Not Found", {}),
        ("GET /items", "404 Not Found", {}),
        ("GET /items/7/8", "404 Not Found", {}),
        ("/items/7", "item(id=7)", {"named": "it has the methods OPTIONS, POST only"}),
    ],
)  # fmt: skip
def test_j17_a_request_is_explained(
    app: Erlen, request_: str, outcome: str, reasons: dict[str, str | None]
) -> None:
    found = json.loads(routes(app, "--match", request_, "--json").stdout)
    assert found["outcome"] == outcome
    said = {each["endpoint"]: each["reason"] for each in found["candidates"]}
    assert said == {name: why for name, why in reasons.items() if why is not None}


def test_j17_a_rule_that_fits_loses_to_one_that_says_more(app: Erlen) -> None:
    app.add_url_rule("/items/<path:rest>", "rest", lambda rest: "")
    found = explain(app, "GET", "/items/7")
    assert found.winner is not None
    assert ("rest", "'/items/<int:id>' is more specific") in [
        (candidate.rule.endpoint, candidate.reason) for candidate in found.candidates
    ]


def test_j17_a_rule_below_a_mount_wins_and_one_beside_it_loses(app: Erlen) -> None:
    app.add_url_rule("/<path:rest>", "rest", lambda rest: "")
    app.add_url_rule("/sub/login", "login", lambda: "")
    assert explain(app, "GET", "/sub/login").outcome == "login()"
    found = explain(app, "GET", "/sub/x")
    assert found.outcome == "the application mounted at '/sub'"
    assert [each.reason for each in found.candidates] == ["the mount at '/sub' says more"]


def test_j17_hosts_are_compared() -> None:
    app = Erlen("shop", static_folder=None, host_matching=True)
    hosts = {"a": "a.example", "any": "<name>.example", "other": "b.example", "none": None}
    for endpoint, host in hosts.items():
        app.add_url_rule("/", endpoint, lambda **values: "", host=host)
    found = explain(app, "GET", "http://a.example/")
    assert found.outcome == "a()"
    assert [(each.rule.endpoint, each.reason) for each in found.candidates] == [
        ("any", "'/' is more specific"),
        ("other", "it is for the host 'b.example', not for 'a.example'"),
        ("none", "it is for the host '(none)', not for 'a.example'"),
    ]


def test_j17_subdomains_are_compared() -> None:
    app = Erlen("shop", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.example"
    app.add_url_rule("/", "api", lambda: "", subdomain="api")
    [candidate] = explain(app, "GET", "/").candidates
    assert candidate.reason == "it is for the host 'api', not for '(none)'"


def test_j17_a_converter_without_a_name_is_told_by_its_class() -> None:
    app = Erlen("shop", static_folder=None)
    app.url_map.converters["even"] = Even
    app.add_url_rule("/<even:n>", "even", lambda n: "")
    del app.url_map.converters["even"]
    [candidate] = explain(app, "GET", "/3").candidates
    assert candidate.reason == "the converter 'Even' of <n> refuses '3'"


@pytest.mark.parametrize(
    ("request_", "lines"),
    [
        ("GET /nothing", ["GET /nothing: 404 Not Found", "No rule comes close."]),
        ("WEBSOCKET /live", ["WEBSOCKET /live: live()", "Answered by websocket '/live'"]),
        (
            "GET /items/7",
            [
                "GET /items/7: item(id=7)",
                "Answered by '/items/<int:id>' (GET, HEAD, OPTIONS) for endpoint 'item'",
                "",
                "Endpoint  Methods  Rule           Why not",
                "--------  -------  -------------  -------------------------------------",
                "named     POST     /items/<name>  it has the methods OPTIONS, POST only",
            ],
        ),
    ],
)
def test_j17_an_explanation_is_text_a_person_can_read(
    app: Erlen, request_: str, lines: list[str]
) -> None:
    shown = routes(app, "--match", request_).stdout.splitlines()
    assert [line.partition(", declared at")[0][: len(line)] for line in shown][2:] == lines[2:]
    assert all(line.startswith(start) for line, start in zip(shown, lines, strict=True))


def test_a_winner_is_null_in_json_when_there_is_none(app: Erlen) -> None:
    assert json.loads(routes(app, "-m", "/nothing", "--json").stdout)["winner"] is None
    assert (
        json.loads(routes(app, "-m", "/items/7", "--json").stdout)["winner"]["endpoint"] == "item"
    )


@pytest.mark.parametrize("request_", ["", "GET", "GET /a /b", "items/7"])
def test_what_is_no_request_is_refused(app: Erlen, request_: str) -> None:
    result = routes(app, "--match", request_)
    assert result.exit_code == 2
    assert "is no request. Write 'GET /path'" in result.stderr


def test_rules_and_mounts_are_json(app: Erlen) -> None:
    found = json.loads(routes(app, "--json").stdout)
    assert found[0].pop("declared").startswith(__file__)
    assert found[0] == {
        "endpoint": "item", "rule": "/items/<int:id>", "methods": ["GET", "HEAD", "OPTIONS"],
        "websocket": False, "host": None, "arguments": ["id"], "defaults": {},
    }  # fmt: skip
    assert found[-1] == {"mount": "/sub", "application": "function"}


def test_a_rule_for_every_method_has_none_in_json() -> None:
    app = Erlen("x", static_folder=None)
    app.url_map.add(Rule("/a", endpoint="a"))
    assert json.loads(routes(app, "--json").stdout)[0]["methods"] is None


def test_mounts_are_in_the_table() -> None:
    app = Erlen("x", static_folder=None)
    app.mount("/", Erlen("shop", static_folder=None))
    assert routes(app).stdout.splitlines()[2] == "shop      MOUNT    /"


def test_cl13_rules_are_sorted_as_they_were_declared(app: Erlen) -> None:
    lines = routes(app, "--sort", "match").stdout.splitlines()[2:]
    assert [line.split()[0] for line in lines][:3] == ["item", "named", "new"]
