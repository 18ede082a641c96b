"""The client's sessions, and the header that says whose page a request comes from."""

from typing import Any

import pytest

from erlen import Erlen, g, request, session
from erlen.context import current_context
from erlen.exceptions import SessionClosedError
from erlen.protocols import ASGIApp
from erlen.testing import BlockingClient, Client, LifespanError


@pytest.fixture
def app() -> Erlen:
    app = Erlen("client")
    app.config.update(TESTING=True, SECRET_KEY="0123456789abcdef")

    @app.get("/")
    async def index() -> dict[str, Any]:
        return dict(session)

    @app.get("/set/<value>")
    async def put(value: str) -> str:
        session["value"] = value
        return ""

    @app.before_request
    async def hook() -> None:
        g.hooked = True

    return app


async def test_te7_a_test_changes_the_session_that_the_view_sees(app: Erlen) -> None:
    client = app.test_client()
    async with client.session_transaction() as opened:
        opened["user"] = 7
    assert (await client.get("/")).json() == {"user": 7}


async def test_te7_a_test_sees_the_session_that_the_view_changed(app: Erlen) -> None:
    client = app.test_client()
    await client.get("/set/x")
    async with client.session_transaction() as opened:
        assert opened == {"value": "x"}
        opened.clear()
    assert client.get_cookie("session") is None


async def test_te7_the_block_runs_without_a_context(app: Erlen) -> None:
    async with app.test_client().session_transaction():
        assert current_context.get(None) is None


async def test_te7_a_block_that_fails_saves_nothing(app: Erlen) -> None:
    client = app.test_client()

    async def fail() -> None:
        async with client.session_transaction() as opened:
            opened["user"] = 7
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert (await client.get("/")).json() == {}


async def test_te7_after_the_block_the_session_is_closed(app: Erlen) -> None:
    async with app.test_client().session_transaction() as opened:
        opened["user"] = 7
    with pytest.raises(SessionClosedError):
        opened["user"] = 8


async def test_te7_without_a_secret_key_it_says_so(app: Erlen) -> None:
    app.secret_key = None
    with pytest.raises(RuntimeError, match=r"opened no session for GET .* Set app\.secret_key"):
        async with app.test_client().session_transaction():
            pytest.fail("not reached")


async def test_te7_another_application_has_no_sessions(mirror: ASGIApp) -> None:
    with pytest.raises(TypeError, match=r"no erlen application and .*app\.test_client\(\)"):
        async with Client(mirror).session_transaction():
            pytest.fail("not reached")


async def test_te7_an_application_that_must_start_first_is_not_asked(app: Erlen) -> None:
    @app.before_serving
    async def start() -> None: ...

    with pytest.raises(LifespanError):
        app.test_client().session_transaction()


async def test_te7_the_arguments_describe_the_request(app: Erlen) -> None:
    seen: list[Any] = []
    interface = app.session_interface

    class Seeing(type(interface)):  # type: ignore[misc]  # its class is the seat's
        def open_session(self, app: Any, request: Any) -> Any:
            seen.append((request.method, request.path, request.headers["x-a"], request.url))
            return super().open_session(app, request)

    app.session_interface = Seeing()
    options: Any = {"method": "POST", "headers": {"X-A": "1"}, "base_url": "https://example.com"}
    async with app.test_client().session_transaction("/a", **options):
        pass
    assert seen == [("POST", "/a", "1", "https://example.com/a")]


async def test_te7_a_cookie_for_https_is_kept_for_https(app: Erlen) -> None:
    client = app.test_client()
    async with client.session_transaction(base_url="https://localhost") as opened:
        opened["user"] = 7
    assert (await client.get("/")).json() == {}
    assert (await client.get("/", base_url="https://localhost")).json() == {"user": 7}


async def test_te7_a_mounted_application_keeps_its_path(app: Erlen) -> None:
    app.config["APPLICATION_ROOT"] = "/app"
    client = app.test_client(base_url="http://localhost/app", root_path="/app")
    async with client.session_transaction() as opened:
        opened["user"] = 7
    assert client.get_cookie("session", path="/app") is not None
    assert (await client.get("/")).json() == {"user": 7}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_te7_the_blocking_client_has_it_too(app: Erlen, backend: str) -> None:
    with BlockingClient(app, backend) as client:
        with client.session_transaction() as opened:
            opened["user"] = 7
        assert client.get("/").json() == {"user": 7}
        client.get("/set/x")
        with client.session_transaction("/") as opened:
            assert dict(opened) == {"user": 7, "value": "x"}


def test_te7_the_blocking_client_wants_its_block(app: Erlen) -> None:
    with pytest.raises(RuntimeError, match=r"'session_transaction' .* outside of its block"):
        BlockingClient(app).session_transaction().__enter__()


# --- whose page -----------------------------------------------------------------------------------


@pytest.fixture
def site_of() -> Erlen:
    app = Erlen("site")

    @app.get("/")
    async def site() -> dict[str, Any]:
        return {"site": request.sec_fetch_site}

    return app


async def test_a_request_comes_from_the_applications_own_page(site_of: Erlen) -> None:
    assert (await site_of.test_client().get("/")).json() == {"site": "same-origin"}


async def test_a_test_may_say_that_it_comes_from_another(site_of: Erlen) -> None:
    client = site_of.test_client(headers={"Sec-Fetch-Site": "none"})
    assert (await client.get("/")).json() == {"site": "none"}
    response = await client.get("/", headers={"sec-fetch-site": "cross-site"})
    assert response.json() == {"site": "cross-site"}


async def test_a_test_may_be_a_program_that_does_not_send_it(site_of: Erlen) -> None:
    client = site_of.test_client()
    del client.headers["sec-fetch-site"]
    assert (await client.get("/")).json() == {"site": None}
