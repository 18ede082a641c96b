"""Secure defaults, D-16: a page of another site cannot make a browser change anything here."""

from typing import Any

import pytest

from erlen import Blueprint
from erlen.pipeline.csrf import csrf_exempt
from tests.hostile.application import Hostile, before, make_app
from tests.hostile.harness import HOST, Bare

COOKIE = (b"cookie", b"session=1")
CROSS = (b"sec-fetch-site", b"cross-site")
EVIL = (b"origin", b"http://evil.example")
UNSAFE = ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]


def make(**config: Any) -> Hostile:
    app = make_app(**config)
    before(app)
    hooks = csrf_exempt(Blueprint("hooks", __name__, url_prefix="/hooks"))

    @app.view("/pay", methods=["GET", *UNSAFE])
    async def pay() -> str:
        return "paid"

    @app.view("/webhook", methods=["POST"])
    @csrf_exempt
    async def webhook() -> str:
        return "heard"

    @hooks.post("/one")
    async def one() -> str:
        return "heard"

    app.register_blueprint(hooks)
    return app


@pytest.fixture
def app() -> Hostile:
    return make()


@pytest.fixture
def server(app: Hostile) -> Bare:
    return Bare(app, app.ran)


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([CROSS, COOKIE], id="cross-site"),
        pytest.param([(b"sec-fetch-site", b"same-site"), COOKIE], id="same-site"),
        pytest.param([CROSS], id="without-a-cookie"),
        pytest.param([EVIL, COOKIE], id="origin"),
        pytest.param([EVIL], id="origin-without-a-cookie"),
        pytest.param([(b"origin", b"null"), COOKIE], id="null"),
        pytest.param([COOKIE], id="neither-but-a-cookie"),
        pytest.param([EVIL, (b"origin", b"http://example.com")], id="two-origins"),
        pytest.param([(b"sec-fetch-site", b"none"), CROSS], id="two-sites"),
        pytest.param([(b"origin", b"http://example.com\x9b")], id="malformed"),
        pytest.param([CROSS, (b"x-requested-with", b"XMLHttpRequest")], id="a81-header"),
        pytest.param([CROSS, (b"content-type", b"application/json")], id="json"),
    ],
)
async def test_d16_a_cross_site_request_is_403_before_hook_and_view(
    server: Bare, method: str, headers: list[tuple[bytes, bytes]]
) -> None:
    answer = await server.http("/pay", method=method, headers=[HOST, *headers])
    assert (answer.status, answer.ran, answer.taken) == (403, [], 0)
    assert b"evil" not in answer.body
    assert all(record.levelname == "INFO" for record in answer.log)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"sec-fetch-site", b"same-origin"), COOKIE],
        [(b"sec-fetch-site", b"none"), COOKIE],
        [(b"origin", b"http://example.com"), COOKIE],
        [(b"authorization", b"Bearer x")],
    ],
)
async def test_d16_a_request_of_this_site_or_of_no_browser_is_served(
    server: Bare, headers: list[tuple[bytes, bytes]]
) -> None:
    answer = await server.http("/pay", method="POST", headers=[HOST, *headers])
    assert (answer.status, answer.ran) == (200, ["hook", "pay"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_d16_a_safe_method_is_served_to_any_page(server: Bare, method: str) -> None:
    answer = await server.http("/pay", method=method, headers=[HOST, CROSS, EVIL, COOKIE])
    assert answer.status in {200, 204}


@pytest.mark.parametrize("path", ["/webhook", "/hooks/one"])
async def test_d16_what_is_exempt_is_served_to_any_page(server: Bare, path: str) -> None:
    answer = await server.http(path, method="POST", headers=[HOST, CROSS, EVIL, COOKIE])
    assert (answer.status, answer.body) == (200, b"heard")


@pytest.mark.parametrize(
    "config",
    [{"CSRF_PROTECTION": False}, {"CSRF_TRUSTED_ORIGINS": ["http://evil.example"]}],
    ids=["off", "trusted"],
)
async def test_d16_configuration_lets_it_pass(config: dict[str, Any]) -> None:
    app = make(**config)
    headers = [HOST, CROSS, EVIL, COOKIE]
    assert (await Bare(app, app.ran).http("/pay", method="POST", headers=headers)).status == 200


async def test_d16_the_refusal_has_handler_and_after_hook(app: Hostile) -> None:
    @app.errorhandler(403)
    async def forbidden(_error: Exception) -> Any:
        return "no", 403

    @app.after_request
    async def note(response: Any) -> Any:
        response.headers["x-after"] = "1"
        return response

    answer = await Bare(app, app.ran).http("/pay", method="POST", headers=[HOST, CROSS])
    assert (answer.status, answer.body, answer.headers[b"x-after"]) == (403, b"no", b"1")


async def test_d16_an_unknown_path_is_404_for_every_page(server: Bare) -> None:
    answer = await server.http("/nowhere", method="POST", headers=[HOST, CROSS, COOKIE])
    assert answer.status == 404
