"""Who may look into a failure, and who may type there: the rows of security 2.19."""

import os
import subprocess
import sys
from typing import Any

import anyio
import pytest

from erlen.debugger import Debugger
from erlen.debugger.gate import Gate
from erlen.protocols import Scope
from tests.debugger.browsing import HTML, Browser, browsing, new_app, wrapped
from tests.exchange.wire import scope_of

LOCAL = ("127.0.0.1", 4000)


def local_scope(**changes: Any) -> Scope:
    host = changes.pop("host", b"localhost:5000")
    headers = [*changes.pop("headers", []), *([] if host is None else [(b"host", host)])]
    return scope_of(headers=headers, client=LOCAL, **changes)


# --- only in debug --------------------------------------------------------------------------------

IMPORTS_ALL_BUT_THE_DEBUGGER = """
import importlib, pathlib, sys, erlen
root = pathlib.Path(erlen.__file__).parent
for file in root.rglob("*.py"):
    name = ".".join(("erlen", *file.relative_to(root).with_suffix("").parts))
    if not name.startswith(("erlen.debugger", "erlen.__main__")):
        importlib.import_module(name)
print(any(name.startswith("erlen.debugger") for name in sys.modules))
"""


def test_b263_nothing_else_imports_the_debugger() -> None:
    command = [sys.executable, "-c", IMPORTS_ALL_BUT_THE_DEBUGGER]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


SERVES_A_FAILURE = """
import sys, anyio, logging
from erlen import Erlen
from erlen.serving.debugging import debugged
logging.disable()
app = Erlen("shop")
@app.get("/")
async def index():
    local = "hunter2"
    raise ValueError(local)
assert debugged(app, "127.0.0.1") is app
async def main():
    app.config["PROPAGATE_EXCEPTIONS"] = False
    async with app.test_client() as client:
        for accept in ("text/html", "application/json", "*/*"):
            answer = await client.get("/", headers={"accept": accept})
            assert answer.status_code == 500
            for word in ("hunter2", "ValueError", "Traceback", "index", "_erlen"):
                assert word not in answer.text, answer.text
anyio.run(main)
print([name for name in sys.modules if name.startswith("erlen.debugger")])
"""


def test_b263_production_tells_nothing_and_imports_nothing() -> None:
    command = [sys.executable, "-c", SERVES_A_FAILURE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "path", ["/_erlen/", "/_erlen", "/_erlen/0123/0/evaluate", "/?__debugger__=1"]
)
async def test_b263_without_debug_its_addresses_are_plain_404(path: str) -> None:
    app = new_app()
    app.debug = False
    async with browsing(app) as browser:
        page = await browser.open(path, cookie="erlen_debugger=x")
        assert page.response.status_code == 404
        assert "debugger" not in page.text


async def test_b263_without_debug_a_failure_is_the_applications() -> None:
    app = new_app()
    app.debug = False
    async with browsing(app) as browser:
        page = await browser.open("/0")
        assert (page.response.status_code, "ZeroDivision" in page.text) == (500, False)
        assert len(browser.debugger.failures) == 0


# --- only here ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"localhost:5000", b"LOCALHOST:1", b"shop.localhost", b"127.0.0.1:80",
     b"127.9.9.9", b"[::1]:5000"],
)  # fmt: skip
def test_hosts_of_this_machine_are_let_in(host: bytes) -> None:
    assert Gate().why_hidden(local_scope(host=host)) == ""


@pytest.mark.parametrize(
    "host",
    [b"attacker.com", b"127.0.0.1.nip.io", b"localhost.evil", None, b"0.0.0.0", b"", b"a b",
     b"localhost@evil", b"2130706433", b"[::]", b"evil-localhost"],
)  # fmt: skip
def test_b264_other_hosts_are_not(host: bytes | None) -> None:
    assert "another host" in Gate().why_hidden(local_scope(host=host))


def test_b264_two_hosts_are_none() -> None:
    scope = local_scope(headers=[(b"host", b"localhost")])
    assert "another host" in Gate().why_hidden(scope)


@pytest.mark.parametrize("host", ["attacker.com", "127.0.0.1.nip.io"])
async def test_b264_foreign_hosts_see_neither_source_nor_locals_nor_console(host: str) -> None:
    app = new_app()
    app.config["TRUSTED_HOSTS"] = [host]  # else it is 400 there, even before it fails
    async with browsing(app) as browser:
        page = await browser.open("/0", host=host)
        assert page.response.status_code == 500
        assert "ZeroDivisionError" in page.text
        assert all(
            part not in page.text for part in ("hunter2", "sum(prices)", "[1.5", "<textarea")
        )
        assert page.key == ""


async def test_b264_foreign_hosts_are_refused_every_command() -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
        await browser.unlock(page)
        for path in ("unlock", "0/evaluate", "0/complete", "0/interrupt"):
            answer = await browser.command(page, path, host="attacker.com")
            assert answer.status_code == 403
        assert (await browser.open("/_erlen/", host="attacker.com")).response.status_code == 403


@pytest.mark.parametrize(
    "client", [None, ("10.0.0.7", 1), ("::ffff:10.0.0.7", 1), ("testclient", 1), ("", 0)]
)
def test_b269_other_peers_are_not_let_in(client: tuple[str, int] | None) -> None:
    assert "from another" in Gate().why_hidden({**local_scope(), "client": client})


@pytest.mark.parametrize("client", [("::1", 1), ("::ffff:127.0.0.1", 1), ("127.0.0.2", 1)])
def test_peers_of_this_machine_are_let_in(client: tuple[str, int]) -> None:
    assert Gate().why_hidden({**local_scope(), "client": client}) == ""


@pytest.mark.parametrize("name", [b"X-Forwarded-For", b"forwarded", b"x-real-ip", b"via"])
def test_b269_what_a_proxy_sends_is_of_somebody_else(name: bytes) -> None:
    assert "proxy" in Gate().why_hidden(local_scope(headers=[(name, b"127.0.0.1")]))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", ""])
async def test_b269_on_a_public_address_there_is_no_console(host: str) -> None:
    async with browsing(new_app(), host=host) as browser:
        page = await browser.open("/0")
        assert "<textarea" not in page.text
        assert "listens on" in page.text
        assert (await browser.command(page, "unlock", {})).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_a_loopback_address_there_is(host: str) -> None:
    assert Gate(host=host).refusal == ""


async def test_b276_where_there_is_no_console_no_address_promises_one() -> None:
    async with browsing(new_app(), workers=4) as browser:
        text = (await browser.http.get("/0")).text
        problem = (await browser.http.get("/0", headers={"accept": "application/json"})).json()
    assert text.endswith(
        "\n\nThe console is off: 4 processes serve, and a failure is kept in one of "
        "them. Serve with one worker.\n"
    )
    assert "page" not in problem
    assert problem["exceptions"][0]["frames"][0]["code"]


async def test_b276_of_several_workers_none_has_a_console() -> None:
    async with browsing(new_app(), workers=4) as browser:
        page = await browser.open("/0")
        assert "4 processes serve" in page.text
        answer = await browser.command(page, "unlock", {"token": browser.debugger.token})
        assert (answer.status_code, "one worker" in answer.text) == (403, True)
        assert "one worker" in (await browser.open("/_erlen/")).text


# --- only from its own page -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "http://evil"},
        {"origin": "null"},
        {"origin": "http://localhost:5001"},
        {"origin": "https://localhost:5000.evil"},
        {"origin": None},
        {"origin": None, "referer": None},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_mode": "no-cors"},
        {"sec_fetch_mode": "navigate"},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": None},
        {"x_erlen_page": None},
        {"x_erlen_page": "0" * 64},
        {"x_erlen_page": "\xe4"},
    ],
    ids=str,
)
async def test_b265_commands_of_other_pages_are_403(changes: dict[str, str | None]) -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
        await browser.unlock(page)
        answer = await browser.command(page, "0/evaluate", {"source": "1"}, **changes)
        assert answer.status_code == 403
        assert "value" not in answer.json()


async def test_b265_a_get_evaluates_nothing() -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
        await browser.unlock(page)
        for path in ("0/evaluate?source=1", "unlock", "0/complete"):
            got = await browser.open(f"/_erlen/{page.id}/{path}")
            assert got.response.status_code == 403


async def test_b265_without_the_cookie_it_is_403() -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
        answer = await browser.command(page, "0/evaluate", {"source": "1"})
        assert (answer.status_code, "locked" in answer.text) == (403, True)


async def test_b265_a_key_is_of_one_page() -> None:
    async with browsing(new_app()) as browser:
        page, other = await browser.open("/0"), await browser.open("/0")
        await browser.unlock(page)
        answer = await browser.command(page, "0/evaluate", {}, x_erlen_page=other.key)
        assert (answer.status_code, "another start" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "cookie", ["erlen_debugger=x", "erlen_debugger=", "=", "a=b; " * 400, "erlen_debugger=\xe4"]
)
def test_wrong_cookies_unlock_nothing(cookie: str) -> None:
    scope = local_scope(headers=[(b"cookie", cookie.encode("latin-1"))])
    assert not Gate().is_unlocked(scope)


# --- the token ------------------------------------------------------------------------------------


async def test_b266_ten_wrong_tokens_lock_for_good_even_at_once() -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
        answers: list[tuple[int, str]] = []

        async def guess(number: int) -> None:
            answer = await browser.command(page, "unlock", {"token": f"{number:032x}"})
            answers.append((answer.status_code, answer.text))

        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(guess, number)
        right = await browser.command(page, "unlock", {"token": browser.debugger.token})
        assert {*answers, (right.status_code, right.text)} == {answers[0]}
        assert answers[0][0] == 403
        assert "set-cookie" not in right.headers


def test_b266_at_most_ten_are_looked_at() -> None:
    gate = Gate()
    assert [gate.try_token("wrong") for _ in range(9)] == [False] * 9
    assert gate.try_token(gate.token)
    assert not gate.try_token("wrong")
    assert not gate.try_token(gate.token)


async def test_b267_the_token_is_on_the_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    browser = Browser(wrapped(new_app()))
    Debugger(new_app(), say=said.append)
    assert len(said) == 1
    async with browser.http:
        page = await browser.open("/0")
        await browser.unlock(page)
        answer = await browser.command(page, "unlock", {"token": browser.debugger.token})
        seen = [page.text, answer.text, str(answer.headers), str(dict(os.environ))]
        seen += [(await browser.open(f"/_erlen/{page.id}")).text, *capsys.readouterr()]
    assert not any(browser.debugger.token in text for text in seen)


async def test_b267_the_cookie_is_for_the_debugger_alone() -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
        answer = await browser.command(page, "unlock", {"token": f" {browser.debugger.token}\n"})
        cookie = answer.headers["set-cookie"]
        assert cookie.endswith("; HttpOnly; Path=/_erlen/; SameSite=Strict")
        assert answer.json() == {"unlocked": True}


def test_the_cookie_is_secure_where_the_page_is() -> None:
    assert "Secure" in Gate().cookie(local_scope(scheme="https"), "/_erlen/")


def test_b268_the_token_differs_at_every_start() -> None:
    tokens = {Gate().token for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(bytes.fromhex(token)) == 16 for token in tokens)


def test_a_token_outlives_a_reload_with_its_cookie() -> None:
    before = Gate("0123456789abcdef" * 2)
    after = Gate(before.token)
    cookie = before.cookie(local_scope(), "/").partition(";")[0].encode()
    assert after.is_unlocked(local_scope(headers=[(b"cookie", cookie)]))


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match="has 4 characters"):
        Gate("1234")


async def test_pages_are_neither_stored_nor_framed() -> None:
    async with browsing(new_app()) as browser:
        headers = (await browser.open("/0")).response.headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_every_page_has_a_nonce_of_its_own() -> None:
    async with browsing(new_app()) as browser:
        pages = [await browser.open("/0") for _ in range(2)]
    policies = {page.response.headers["content-security-policy"] for page in pages}
    assert len(policies) == 2
    assert HTML["accept"].startswith("text/html")
