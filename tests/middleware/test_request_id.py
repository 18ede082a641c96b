"""Each request has a name."""

import logging

import pytest

from erlen import Erlen
from erlen.middleware import RequestID, RequestIDFilter, current_request_id
from tests.middleware.exchanges import exchange, passes_lifespan


async def test_each_request_has_another_name() -> None:
    names = [(await exchange(RequestID)).field("x-request-id") for _ in range(2)]
    assert all(name and len(name) == 32 for name in names)
    assert names[0] != names[1]


async def test_the_name_is_known_in_the_view_and_only_there() -> None:
    app = Erlen("named")
    app.config["TESTING"] = True
    app.add_middleware(RequestID, header="X-Name")
    app.add_url_rule("/", "index", lambda: str(current_request_id()))
    async with app.test_client() as client:
        answer = await client.get("/")
    assert answer.text == answer.headers["x-name"]
    assert current_request_id() is None


async def test_an_error_has_its_name_too() -> None:
    app = Erlen("named")
    app.add_middleware(RequestID)
    async with app.test_client() as client:
        answer = await client.get("/nowhere")
    assert (answer.status_code, len(answer.headers["x-request-id"])) == (404, 32)


@pytest.mark.parametrize(
    ("trust", "sent", "is_kept"),
    [
        (True, "a-1", True),
        (False, "a-1", False),
        (True, "a b", False),
        (True, "a\x1b", False),
        (True, "", False),
        (True, "x" * 129, False),
    ],
    ids=lambda value: str(value)[:5].encode("unicode_escape").decode(),
)
async def test_a_name_that_is_brought_is_kept_if_it_is_trusted_and_sound(
    trust: bool, sent: str, is_kept: bool
) -> None:
    answer = await exchange(RequestID, request=[(b"x-request-id", sent.encode())], trust=trust)
    assert (answer.field("x-request-id") == sent) is is_kept


async def test_the_name_of_the_application_is_replaced() -> None:
    answer = await exchange(RequestID, response=[(b"x-request-id", b"own")])
    assert answer.field("x-request-id") != "own"


async def test_log_records_have_the_name() -> None:
    record = logging.makeLogRecord({})
    assert RequestIDFilter().filter(record)
    assert record.__dict__["request_id"] == "-"


async def test_a_lifespan_passes() -> None:
    assert await passes_lifespan(RequestID)
