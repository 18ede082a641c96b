"""What clients see of errors in production, on real servers: fixed texts, and nothing else."""

import http.client
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from erlen.exceptions import reason_phrase
from tests.integration.test_logging import ROOT, RUN, UVICORN
from tests.live_server import LIMIT, LiveServer, launch

#: A word that each request has everywhere, and no answer may have.
CANARY = "canary7"

#: Words of the inside: of erlen, of its server, of Python, of the application, of this machine.
INSIDE = re.compile(
    r"erlen|uvicorn|h11|python|traceback|exception|\bfile\b|\bline\b|logs_app|uniqueerror|valueerror"
    rf"|keyerror|{re.escape(str(ROOT))}|site-packages|\.py\b|\d+\.\d+\.\d+|{CANARY}",
    re.IGNORECASE,
)

#: Fields that an answer to an error may have; nothing of them is the application's word.
FIELDS = {
    "allow", "connection", "content-length", "content-type", "date", "vary", "x-request-id",
}  # fmt: skip


class Case(NamedTuple):
    """A request that is answered by an error."""

    status: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


CASES = [
    Case(404, "GET", "/nothing", {}),
    Case(404, "GET", "/<script>alert(1)</script>", {}),
    Case(405, "PUT", "/view/x", {}),
    Case(405, "PURGE", "/thread", {}),
    Case(400, "GET", "/%ff", {}),
    Case(400, "GET", "/%0d%0aServer:x", {}),
    Case(400, "GET", "/thread", {"Host": "a b"}),
    Case(400, "POST", "/json", {"Content-Type": "application/json"}, b'{"canary7": '),
    Case(415, "POST", "/json", {"Content-Type": "text/canary7"}, b"{}"),
    Case(413, "POST", "/small", {}, b"canary7" * 9),
    Case(414, "GET", f"/{'a' * 17_000}", {}),
    Case(431, "GET", "/thread", {f"X-Canary7-{number}": "x" for number in range(201)}),
    Case(403, "POST", "/json", {"Sec-Fetch-Site": "cross-site", "Origin": "https://canary7.example"}),
    Case(500, "GET", "/view/canary7", {}),
    Case(500, "GET", "/thread", {}),
    Case(500, "GET", "/handler", {}),
    Case(500, "GET", "/child", {}),
]  # fmt: skip


@pytest.fixture(scope="module", params=["erlen", "uvicorn"])
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    # uvicorn's lines would fill the pipe that nobody empties: it does not cut what is asked for.
    bare = (*UVICORN, "--no-server-header", "--no-access-log")
    command = RUN if request.param == "erlen" else bare
    with launch(*command, cwd=ROOT, env={"ERLEN_DEBUG": "0"}) as server:
        yield server


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("application/json", "application/problem+json"),
        ("text/plain", "text/html; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status} {case.path[:20]}")
def test_d20_an_error_says_nothing_of_the_inside(
    server: LiveServer, case: Case, accept: str, kind: str
) -> None:
    fields, body = ask(server, case, accept)
    # What no rule was looked up for has a line of text for everybody.
    assert fields["content-type"] in {kind, "text/plain; charset=utf-8"}
    assert fields.keys() <= FIELDS
    assert not INSIDE.search(body)
    assert not INSIDE.search(" ".join(f"{name}: {value}" for name, value in fields.items()))
    assert reason_phrase(case.status) in body


def ask(server: LiveServer, case: Case, accept: str) -> tuple[dict[str, str], str]:
    """Return fields and body of the answer, whose status is the expected one."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=LIMIT)
    headers = {
        "Accept": accept, "User-Agent": CANARY, "Cookie": f"session={CANARY}",
        "Sec-Fetch-Site": "same-origin", **case.headers,
    }  # fmt: skip
    try:
        connection.request(case.method, f"{case.path}?q={CANARY}", case.body or None, headers)
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    assert response.status == case.status, body
    return {name.lower(): value for name, value in response.getheaders()}, body


def test_d20_problem_details_have_fixed_members(server: LiveServer) -> None:
    _, body = ask(server, Case(500, "GET", "/thread", {}), "application/json")
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The server could not complete the request.",
    }


def test_d20_a_405_reveals_no_more_than_what_is_allowed(server: LiveServer) -> None:
    fields, body = ask(server, Case(405, "PUT", "/thread", {}), "*/*")
    assert fields["allow"] == "GET, HEAD, OPTIONS"
    assert "GET" not in body
