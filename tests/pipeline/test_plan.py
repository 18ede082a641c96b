"""The freeze: one pipeline for each endpoint, thought of once."""

from typing import Any
from urllib.parse import quote

import pytest

from erlen import Blueprint, Erlen, request
from erlen.exceptions import FrozenError


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
        __hash__ = None  # type: ignore[assignment]  # unhashable on purpose

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


# --- paths without placeholders, found by their raw bytes -------------------------------------------


class Sent:
    """What a bare server was sent: the last status, headers and body."""

    def __init__(self) -> None:
        self.start: Any = None
        self.body = b""

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        self.body += message.get("body", b"")

    @property
    def status(self) -> int:
        status: int = self.start["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.start["headers"])


async def sent_by(app: Erlen, path: str = "/a", method: str = "GET", **scope: Any) -> Sent:
    """Serve a request whose scope has what a server may leave out only when it is in *scope*."""

    async def receive() -> Any:
        return {"type": "http.request"}

    sent = Sent()
    target = {"type": "http", "method": method, "path": path, "headers": [(b"host", b"localhost")]}
    await app({**target, **scope}, receive, sent)
    return sent


@pytest.fixture
def fixed(app: Erlen) -> Erlen:
    """An application with ``/a`` for GET beside a rule that takes POST there, too."""
    app.get("/a", endpoint="fixed")(lambda: f"fixed {request.path} {request.query_string!r}")
    app.post("/<name>", endpoint="dynamic")(lambda name: f"dynamic {name}")
    return app


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param({"raw_path": b"/a"}, id="raw-path"),
        pytest.param({}, id="no-raw-path"),
        pytest.param({"raw_path": None}, id="raw-path-none"),
        pytest.param({"raw_path": b"/%61"}, id="percent-encoded"),
        pytest.param({"path": "/app/a", "raw_path": b"/a", "root_path": "/app"}, id="root-path"),
        pytest.param(
            {"path": "/app/a", "raw_path": b"/app/a", "root_path": "/app"}, id="full-raw-path"
        ),
    ],
)
async def test_fixed_path_is_found_however_the_server_tells_it(
    fixed: Erlen, scope: dict[str, Any]
) -> None:
    sent = await sent_by(fixed, **{"path": "/a", "query_string": b"q=1", **scope})
    assert (sent.status, sent.body) == (200, b"fixed /a b'q=1'")


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        pytest.param({"raw_path": b"/a", "path": "/b"}, 400, id="paths-disagree"),
        pytest.param({"raw_path": b"/b", "path": "/a"}, 400, id="raw-paths-disagree"),
        pytest.param({"raw_path": b"/a", "root_path": "/app"}, 404, id="not-below-the-root"),
        pytest.param({"raw_path": b"/a", "headers": []}, 400, id="no-host"),
        pytest.param({"raw_path": b"/a/", "path": "/a/"}, 404, id="other-path"),
    ],
)
async def test_fixed_path_is_no_way_around_a_check(
    fixed: Erlen, scope: dict[str, Any], status: int
) -> None:
    assert (await sent_by(fixed, **scope)).status == status


@pytest.mark.parametrize("raw_path", [b"/a", None])
@pytest.mark.parametrize(("length", "status"), [(18, 200), (19, 414)])
async def test_fixed_path_and_its_query_have_the_limit_of_every_address(
    fixed: Erlen, raw_path: bytes | None, length: int, status: int
) -> None:
    fixed.config["MAX_URL_LENGTH"] = 20
    sent = await sent_by(fixed, raw_path=raw_path, query_string=b"q" * length)
    assert sent.status == status


async def test_fixed_path_longer_than_the_limit_is_414(fixed: Erlen) -> None:
    fixed.config["MAX_URL_LENGTH"] = 1
    assert (await sent_by(fixed, raw_path=b"/a")).status == 414


@pytest.mark.parametrize(
    ("method", "status", "body"),
    [
        pytest.param("GET", 200, b"fixed /a b''", id="get"),
        pytest.param("HEAD", 200, b"", id="head"),
        pytest.param("POST", 200, b"dynamic a", id="of-a-rule-with-a-placeholder"),
        pytest.param("OPTIONS", 204, b"", id="automatic-options"),
        pytest.param("DELETE", 405, None, id="of-no-rule"),
        pytest.param("get", 405, None, id="in-lower-case"),
    ],
)
async def test_fixed_path_has_the_methods_of_all_rules(
    fixed: Erlen, method: str, status: int, body: bytes | None
) -> None:
    sent = await sent_by(fixed, method=method, raw_path=b"/a")
    assert (sent.status, sent.body if body is not None else None) == (status, body)
    if status != 200:
        assert sent.headers[b"allow"] == b"GET, HEAD, OPTIONS, POST"


async def test_rt6_fixed_path_may_answer_options_with_its_view(app: Erlen) -> None:
    app.route("/a", methods=["GET", "OPTIONS"])(lambda: f"view {request.method}")
    sent = await sent_by(app, method="OPTIONS", raw_path=b"/a")
    assert (sent.status, sent.body) == (200, b"view OPTIONS")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_rules_of_one_fixed_path_share_it_by_their_methods(app: Erlen, method: str) -> None:
    app.get("/a", endpoint="get")(lambda: "GET")
    app.post("/a", endpoint="post")(lambda: "POST")
    assert (await sent_by(app, method=method, raw_path=b"/a")).body == method.encode()


@pytest.mark.parametrize(
    ("rule", "options", "location"),
    [
        pytest.param("/a", {"redirect_to": "/b"}, b"/b", id="redirect-to"),
        pytest.param("/a/", {}, b"/a/", id="missing-slash"),
    ],
)
async def test_fixed_path_that_redirects_does_so(
    app: Erlen, rule: str, options: dict[str, str], location: bytes
) -> None:
    app.get(rule, **options)(view)
    sent = await sent_by(app, raw_path=b"/a")
    assert (sent.status, sent.headers[b"location"]) == (308, location)


async def test_fixed_path_with_defaults_gives_them_to_its_view(app: Erlen) -> None:
    app.get("/a", defaults={"page": 1})(lambda page: f"page {page}")
    assert (await sent_by(app, raw_path=b"/a")).body == b"page 1"


async def test_view_arguments_of_one_request_are_not_those_of_the_next(app: Erlen) -> None:
    @app.url_value_preprocessor
    def count(endpoint: str | None, values: dict[str, Any] | None) -> None:
        assert values is not None
        values["count"] = len(values)

    app.get("/a")(lambda count: f"{count}")
    for _ in range(2):
        assert (await sent_by(app, raw_path=b"/a")).body == b"0"


@pytest.mark.parametrize("name", ["a|b", 'a"b', "a b", "{a}", "a", "a?b"])
async def test_a_static_rule_comes_before_a_placeholder_whatever_its_text(
    app: Erlen, name: str
) -> None:
    app.get(f"/a/{name}", endpoint="fixed")(lambda: "fixed")
    app.get("/a/<name>", endpoint="dynamic")(lambda name: f"dynamic {name}")
    for raw_path in (f"/a/{name}", "/a/" + quote(name)):
        sent = await sent_by(app, path=f"/a/{name}", raw_path=raw_path.encode())
        assert sent.body == b"fixed"


async def test_a_percent_sign_that_encodes_nothing_is_refused_beside_placeholders(
    app: Erlen,
) -> None:
    app.get("/100%/<name>")(lambda name: name)
    assert (await sent_by(app, path="/100%/a", raw_path=b"/100%/a")).status == 400
    assert (await sent_by(app, path="/100%/a", raw_path=b"/100%25/a")).body == b"a"


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({"host_matching": True}, id="hosts"),
        pytest.param({"subdomain_matching": True}, id="subdomains"),
    ],
)
async def test_map_with_domains_tells_its_fixed_paths_apart(kind: dict[str, Any]) -> None:
    app = Erlen("shop", **kind)
    app.config["SERVER_NAME"] = "example.com"
    name = {"host": "a.example.com"} if "host_matching" in kind else {"subdomain": "a"}
    app.get("/a", **name)(lambda: "a")
    sent = await sent_by(app, raw_path=b"/a", headers=[(b"host", b"a.example.com")])
    assert (sent.status, sent.body) == (200, b"a")
    other = await sent_by(app, raw_path=b"/a", headers=[(b"host", b"example.com")])
    assert other.status == 404
