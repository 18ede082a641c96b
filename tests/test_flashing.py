"""Messages for the next page."""

from typing import Any

import pytest
from markupsafe import Markup

from erlen import Erlen, websocket
from erlen.context import current
from erlen.exceptions import OutsideContextError, SessionClosedError
from erlen.flashing import flash, get_flashed_messages
from erlen.signals import message_flashed
from erlen.testing import Client


@pytest.fixture
def app() -> Erlen:
    app = Erlen("flashing")
    app.config.update(TESTING=True, SECRET_KEY="0123456789abcdef")

    @app.get("/flash")
    async def put() -> str:
        flash("hello")
        flash(Markup("<b>careful</b>"), "warning")  # type: ignore[no-untyped-call,unused-ignore]  # untyped in some releases of markupsafe
        flash("bye", "info")
        return ""

    @app.get("/show")
    def show() -> dict[str, Any]:
        return {"all": get_flashed_messages(), "again": get_flashed_messages(with_categories=True)}

    @app.get("/some")
    async def some() -> list[Any]:
        return [
            get_flashed_messages(category_filter=["info"]),
            get_flashed_messages(with_categories=True, category_filter=("warning", "none")),
        ]

    @app.get("/both")
    async def both() -> list[Any]:
        flash("at once")
        shown = get_flashed_messages()
        flash("later")
        return [shown, get_flashed_messages()]

    return app


@pytest.fixture
def client(app: Erlen) -> Client:
    return app.test_client()


async def test_fl3_messages_are_shown_once_in_their_order(client: Client) -> None:
    await client.get("/flash")
    shown = (await client.get("/show")).json()
    assert shown["all"] == ["hello", "<b>careful</b>", "bye"]
    assert [category for category, _ in shown["again"]] == ["message", "warning", "info"]
    assert (await client.get("/show")).json() == {"all": [], "again": []}


async def test_fl3_markup_stays_markup(app: Erlen, client: Client) -> None:
    await client.get("/flash")
    async with client.session_transaction() as session:
        kinds = [type(message) for _, message in session["_flashes"]]
    assert kinds == [str, Markup, str]


async def test_fl2_a_filter_chooses_and_all_are_taken(client: Client) -> None:
    await client.get("/flash")
    assert (await client.get("/some")).json() == [["bye"], [["warning", "<b>careful</b>"]]]
    assert (await client.get("/show")).json()["all"] == []


async def test_fl2_what_is_flashed_after_the_look_is_for_the_next_page(client: Client) -> None:
    assert (await client.get("/both")).json() == [["at once"], ["at once"]]
    assert (await client.get("/show")).json()["all"] == ["later"]


async def test_fl2_looking_for_messages_that_are_not_there_changes_nothing(client: Client) -> None:
    assert "set-cookie" not in (await client.get("/show")).headers


async def test_without_a_secret_key_looking_works_and_flashing_says_why(app: Erlen) -> None:
    app.secret_key = None
    client = app.test_client()
    assert (await client.get("/show")).json()["all"] == []
    with pytest.raises(RuntimeError, match="no SECRET_KEY"):
        await client.get("/flash")


# --- the signal -----------------------------------------------------------------------------------


async def test_fl1_the_signal_tells_the_application_message_and_category(
    app: Erlen, client: Client
) -> None:
    told: list[Any] = []

    def receive(sender: Any, **values: Any) -> None:
        told.append((sender is app, values))

    with message_flashed.connected_to(receive):
        await client.get("/flash")
    assert told[0] == (True, {"message": "hello", "category": "message"})
    assert [values["category"] for _, values in told] == ["message", "warning", "info"]


async def test_fl1_async_receivers_are_awaited_in_the_exchange(app: Erlen, client: Client) -> None:
    told: list[str] = []

    async def receive(sender: Any, message: str, category: str) -> None:
        told.append(f"{message} {current().exchange.path}")

    with message_flashed.connected_to(receive, sender=app):
        await client.get("/flash")
    assert told == ["hello /flash", "<b>careful</b> /flash", "bye /flash"]


# --- WebSockets -----------------------------------------------------------------------------------


async def test_defect9_a_websocket_flashes_and_shows_before_the_accept(
    app: Erlen, client: Client
) -> None:
    @app.websocket("/socket")
    async def socket() -> None:
        shown = get_flashed_messages()
        flash("from the socket")
        await websocket.send_json(shown)

    await client.get("/flash")
    async with client.websocket("/socket") as ws:
        assert await ws.receive_json() == ["hello", "<b>careful</b>", "bye"]
    assert (await client.get("/show")).json()["all"] == ["from the socket"]


async def test_defect9_after_the_accept_flashing_is_no_silent_loss(
    app: Erlen, client: Client
) -> None:
    @app.websocket("/socket")
    async def socket() -> None:
        await websocket.accept()
        assert get_flashed_messages() == []
        with pytest.raises(SessionClosedError):
            flash("too late")
        await websocket.send("done")

    async with client.websocket("/socket") as ws:
        assert await ws.receive() == "done"


def test_outside_of_an_exchange_there_is_nobody_to_tell(app: Erlen) -> None:
    for call in (lambda: flash("x"), get_flashed_messages):
        with pytest.raises(OutsideContextError):
            call()
        with app.app_context(), pytest.raises(OutsideContextError):
            call()
