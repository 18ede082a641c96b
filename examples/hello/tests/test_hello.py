"""The views of hello, without a server."""

from collections.abc import AsyncIterator

import pytest
from hello import app

from erlen.testing import Client


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with app.test_client() as client:
        yield client


async def test_index_offers_every_greeting(client: Client) -> None:
    page = (await client.get("/")).text
    assert all(greeting in page for greeting in ("Hello", "Hallo", "Cześć"))


@pytest.mark.parametrize(
    ("query", "greeting"), [("", "Hello, Ada!"), ("?lang=de", "Hallo, Ada!")], ids=["en", "de"]
)
async def test_greeting_is_in_the_language_asked_for(
    client: Client, query: str, greeting: str
) -> None:
    response = await client.get(f"/hello/Ada{query}")
    assert response.status_code == 200
    assert f"<h1>{greeting}</h1>" in response.text


async def test_unknown_language_is_not_found(client: Client) -> None:
    assert (await client.get("/hello/Ada?lang=xx")).status_code == 404


async def test_name_is_escaped(client: Client) -> None:
    page = (await client.get("/hello/<script>")).text
    assert "<h1>Hello, &lt;script&gt;!</h1>" in page


@pytest.mark.parametrize(
    ("query", "location"),
    [("name=Ada&lang=de", "/hello/Ada?lang=de"), ("name=+", "/hello/World"), ("", "/hello/World")],
)
async def test_form_leads_to_the_greeting(client: Client, query: str, location: str) -> None:
    response = await client.get(f"/hello?{query}")
    assert (response.status_code, response.location) == (303, location)


async def test_order_is_created_with_a_number(client: Client) -> None:
    response = await client.post("/orders", json={"item": "tea", "id": "mine"})
    assert response.status_code == 201
    order = response.get_json()
    assert order["item"] == "tea"
    assert isinstance(order["id"], int)


async def test_orders_have_numbers_of_their_own(client: Client) -> None:
    first = await client.post("/orders", json={})
    second = await client.post("/orders", json={})
    assert first.get_json()["id"] != second.get_json()["id"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("[]", "application/json", 400),
        ("{", "application/json", 400),
        ("item=tea", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_what_is_no_order_is_refused(
    client: Client, body: str, content_type: str, status: int
) -> None:
    response = await client.post("/orders", data=body, content_type=content_type)
    assert response.status_code == status


async def test_echo_sends_text_and_bytes_back(client: Client) -> None:
    async with client.websocket("/echo") as websocket:
        for message in ("text", b"bytes", ""):
            await websocket.send(message)
            assert await websocket.receive() == message
