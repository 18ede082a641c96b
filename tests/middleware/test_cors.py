"""Which pages of other origins may read what the application answers."""

from typing import Any

import pytest

from erlen import Erlen
from erlen.middleware import CORS
from tests.middleware.exchanges import Answer, exchange, passes_lifespan

SHOP = "https://shop.example"


async def ask(origin: str | None, *more: tuple[bytes, bytes], **options: Any) -> Answer:
    request = [*more] if origin is None else [(b"origin", origin.encode()), *more]
    return await exchange(CORS, b"data", request=request, **{"origins": [SHOP], **options})


async def preflight(origin: str, wanted: bytes = b"PUT", **options: Any) -> Answer:
    more = [(b"access-control-request-method", wanted)]
    if "asked" in options:
        more.append((b"access-control-request-headers", options.pop("asked")))
    return await ask(origin, *more, scope={"method": "OPTIONS"}, **options)


async def test_a_listed_page_may_read() -> None:
    answer = await ask(SHOP)
    assert (answer.body, answer.field("access-control-allow-origin")) == (b"data", SHOP)
    assert answer.field("vary") == "origin"


@pytest.mark.parametrize(
    "origin",
    [
        None, "null", "https://evil.example", "http://shop.example", "https://shop.example.evil",
        "https://shop.example:444", "HTTPS://SHOP.EXAMPLE",
    ],
)  # fmt: skip
async def test_d30_any_other_page_may_not(origin: str | None) -> None:
    answer = await ask(origin)
    assert (answer.body, answer.field("access-control-allow-origin")) == (b"data", None)
    assert answer.field("vary") == "origin"


async def test_two_origins_are_none() -> None:
    answer = await ask(SHOP, (b"origin", SHOP.encode()))
    assert answer.field("access-control-allow-origin") is None


async def test_every_page_may_read_what_is_for_everybody() -> None:
    answer = await ask("https://any.example", origins=["*"])
    assert (answer.field("access-control-allow-origin"), answer.field("vary")) == ("*", None)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://a.shop.example", True),
        ("https://a.shop.example.evil", False),
        ("https://evil/https://a.shop.example", False),
        ("null", False),
    ],
)
async def test_d30_a_pattern_matches_from_the_first_to_the_last_letter(
    origin: str, allowed: bool
) -> None:
    answer = await ask(origin, origins=(), origin_pattern=r".*\.shop\.example|null")
    assert (answer.field("access-control-allow-origin") == origin) is allowed


async def test_credentials_and_exposed_fields_are_told() -> None:
    answer = await ask(SHOP, credentials=True, expose=["X-Total", "ETag"])
    assert answer.field("access-control-allow-credentials") == "true"
    assert answer.field("access-control-expose-headers") == "X-Total, ETag"


async def test_the_applications_own_fields_are_replaced() -> None:
    own = [(b"access-control-allow-origin", b"*"), (b"vary", b"Cookie, Origin")]
    answer = await ask("https://evil.example", response=own)
    assert answer.field("access-control-allow-origin") is None
    assert answer.field("vary") == "Cookie, Origin"


async def test_vary_is_added_to_what_is_there() -> None:
    assert (await ask(SHOP, response=[(b"vary", b"Cookie")])).field("vary") == "Cookie, origin"


async def test_a_preflight_is_answered_without_the_application() -> None:
    answer = await preflight(SHOP, methods=["PUT"], headers=["X-Token"], max_age=5)
    assert (answer.status, answer.body, answer.scope) == (204, b"", None)
    assert answer.field("access-control-allow-methods") == "PUT"
    assert answer.field("access-control-allow-headers") == "X-Token"
    assert answer.field("access-control-max-age") == "5"


async def test_a_preflight_of_another_page_allows_nothing() -> None:
    answer = await preflight("https://evil.example")
    assert {name for name, _ in answer.sent[0]["headers"]} == {b"vary", b"content-length"}


async def test_all_fields_are_allowed_by_naming_those_that_are_asked_for() -> None:
    answer = await preflight(SHOP, headers=["*"], asked=b"x-a, x-b")
    assert answer.field("access-control-allow-headers") == "x-a, x-b"


async def test_options_without_a_question_is_the_applications() -> None:
    assert (await ask(SHOP, scope={"method": "OPTIONS"})).body == b"data"


@pytest.mark.parametrize(
    "options",
    [
        {}, {"origins": ["shop.example"]}, {"origins": ["null"]}, {"origins": ["https://a/b"]},
        {"origins": ["*"], "credentials": True},
    ],
    ids=str,
)  # fmt: skip
def test_d30_what_would_be_wrong_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="origin"):
        CORS(None, **options)  # type: ignore[arg-type]  # never called


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/broken", 500), ("/ok", 405)])
async def test_pains_54_errors_can_be_read_too(path: str, status: int) -> None:
    app = Erlen("api")
    app.add_middleware(CORS, origins=[SHOP])
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    app.add_url_rule("/ok", "ok", lambda: "ok", methods=["POST"])
    async with app.test_client(raise_app_exceptions=False) as client:
        answer = await client.get(path, headers={"Origin": SHOP})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == SHOP


async def test_other_scopes_pass() -> None:
    assert await passes_lifespan(CORS, origins=["*"])
