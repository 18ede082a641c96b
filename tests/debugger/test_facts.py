"""What a page tells of the exchange that failed."""

from contextvars import copy_context
from typing import Any

import pytest

from erlen import Erlen
from erlen.debugger.facts import facts_of
from erlen.debugger.live import title_of
from erlen.debugger.veil import Veil
from tests.exchange.wire import scope_of


def facts_of_scope(**changes: Any) -> Any:
    return facts_of(copy_context(), scope_of(**changes))


def test_a_request_is_told() -> None:
    facts = facts_of_scope(method="POST", path="/a", query_string=b"page=2&token=x&a=%C3%A4")
    assert (facts.kind, facts.title, facts.method) == ("request", "POST /a", "POST")
    assert facts.url == "http://example.com/a?…"
    assert facts.query == [("page", "2"), ("token", "***"), ("a", "ä")]


def test_b273_secret_fields_are_masked() -> None:
    headers = [
        (b"host", b"a"),
        (b"authorization", b"Bearer x"),
        (b"cookie", b"y"),
        (b"x-api-key", b"z"),
    ]
    facts = facts_of_scope(headers=headers)
    assert facts.headers == [
        ("host", "a"),
        ("authorization", "***"),
        ("cookie", "***"),
        ("x-api-key", "***"),
    ]


def test_a_query_of_too_many_arguments_is_told_as_it_is() -> None:
    facts = facts_of_scope(query_string=b"a=1&" * 2000)
    assert len(facts.query) == 1
    assert facts.query[0][1].startswith("a=1&a=1")


def test_a_websocket_is_told() -> None:
    scope = {**scope_of(path="/ws\n"), "type": "websocket"}
    assert (title_of(scope), facts_of(copy_context(), scope).kind) == (
        "WebSocket /ws\\n",
        "websocket",
    )


def test_servers_may_know_less() -> None:
    scope = scope_of(client=None, server=("/run/socket", None))
    told = dict(facts_of(copy_context(), scope).connection)
    assert (told["client"], told["server"]) == ("", "/run/socket")


@pytest.mark.parametrize(
    ("scope", "kind", "title"),
    [
        (None, "", "Startup or shutdown"),
        ({"type": "lifespan"}, "startup", "Startup"),
        ({"type": "lifespan"}, "lifespan", "Lifespan"),
        (None, "import", "Import of the application"),
    ],
)
def test_a_lifespan_is_told(scope: Any, kind: str, title: str) -> None:
    facts = facts_of(copy_context(), scope, kind)
    assert (facts.kind, facts.title) == (kind or "lifespan", title)


def test_b338_all_that_a_client_sends_is_veiled() -> None:
    secret = "0123456789abcdef"
    facts = facts_of_scope(
        path=f"/{secret}",
        query_string=f"a={secret}".encode(),
        headers=[(b"host", b"localhost"), (b"x-own", secret.encode())],
    )
    facts.view_args, facts.body = [("a", secret)], [("b", secret)]
    assert secret in repr(facts)
    assert secret not in repr(facts.veiled(Veil({"SECRET_KEY": secret})))


async def test_the_rule_that_matched_is_told() -> None:
    app = Erlen("shop")
    seen = []

    @app.get("/<int:number>/<secret>")
    async def order(number: int, secret: str) -> str:
        seen.append(facts_of(copy_context(), None))
        return ""

    async with app.test_client() as client:
        await client.get("/7/hunter2")
    (facts,) = seen
    assert (facts.endpoint, facts.rule) == ("order", "/<int:number>/<secret>")
    assert facts.view_args == [("number", "7"), ("secret", "***")]
