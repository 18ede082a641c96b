"""What is served in the place of an application that could not be imported."""

import importlib
from pathlib import Path
from typing import cast

import pytest

from erlen.debugger import Debugger, FailedApp
from erlen.exceptions import SetupError
from erlen.protocols import Message
from tests.debugger.browsing import LOCAL, Browser, exchange, new_app, wrapped
from tests.exchange.wire import scope_of

BROKEN = 'from erlen import Erlen\n\napp = Erlen("shop")\n\nasync def index(:\n    pass\n'
MISSING = "def load():\n    import nothing_like_this\n\nload()\n"
TOKEN = "0123456789abcdef" * 2


def failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> FailedApp:
    """Return what stands for a module with this source."""
    name = f"shop_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises((SyntaxError, ImportError)) as caught:
        importlib.import_module(name)
    return FailedApp(caught.value, token=TOKEN, say=lambda _line: None)


@pytest.fixture
def browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Browser:
    app = failed(tmp_path, monkeypatch, request.param)
    return Browser(cast(Debugger, app))  # it has a token, and is served in the same way


broken = pytest.mark.parametrize("browser", [BROKEN], indirect=True)
missing = pytest.mark.parametrize("browser", [MISSING], indirect=True)


@broken
async def test_a_syntax_error_is_a_page_with_its_line_and_place(browser: Browser) -> None:
    page = await browser.open("/any/where")
    assert page.response.status_code == 500
    assert "<mark>:</mark>" in page.text
    assert 'value="5"><code>async def index(' in page.text


@broken
async def test_a_terminal_gets_the_caret(browser: Browser) -> None:
    answer = await browser.http.get("/")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "line 5\n    async def index(:\n                    ^\nSyntaxError" in answer.text
    assert answer.text.startswith("Import of the application\n")


@broken
async def test_a_program_gets_json(browser: Browser) -> None:
    answer = await browser.http.get("/", headers={"accept": "application/json"})
    (frame, *_) = answer.json()["exceptions"][0]["frames"]
    assert (frame["line"], frame["code"]) == (5, "async def index(:")


@missing
async def test_a_frame_of_the_import_has_a_console(browser: Browser) -> None:
    page = await browser.open("/")
    await browser.unlock(page)
    assert (await browser.type(page, 0, "__name__"))["value"].startswith("'shop_")


@missing
async def test_its_page_asks_when_another_is_there(browser: Browser) -> None:
    page = await browser.open("/")
    assert "data-renews" in page.text
    ask = f"/_erlen/{page.id}"
    assert (await browser.http.head(ask)).status_code == 200
    assert (await Browser(wrapped(new_app())).http.head(ask)).status_code == 404
    assert "data-renews" not in (await Browser(wrapped(new_app())).open("/0")).text


@missing
async def test_it_stands_behind_the_gate(browser: Browser) -> None:
    page = await browser.open("/", host="shop.example")
    assert "nothing_like_this" in page.text
    assert "import nothing_like_this" not in page.text


@missing
async def test_it_is_listed(browser: Browser) -> None:
    await browser.unlock(await browser.open("/_erlen/"))
    assert "Import of the application" in (await browser.open("/_erlen/")).text


async def test_it_starts_and_ends() -> None:
    app = FailedApp(ImportError("no"), say=lambda _line: None)
    events: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent, error = await exchange(app, {"type": "lifespan"}, *events)
    assert [message["type"].rpartition(".")[2] for message in sent] == ["complete", "complete"]
    assert error is None


async def test_it_refuses_websockets() -> None:
    app = FailedApp(ImportError("no"), say=lambda _line: None)
    sent, error = await exchange(app, {**scope_of(client=LOCAL), "type": "websocket"})
    assert (sent, error) == ([{"type": "websocket.close", "code": 1011}], None)


def test_the_token_is_the_supervisors_and_said() -> None:
    said: list[str] = []
    app = FailedApp(ImportError("no"), token=TOKEN, say=said.append)
    assert app.token == TOKEN
    assert said == [f" * Debugger at /_erlen/, token: {TOKEN}"]


def test_b335_in_production_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLEN_ENV", "production")
    with pytest.raises(SetupError, match="ERLEN_ENV is 'production'"):
        FailedApp(ImportError("no"))
