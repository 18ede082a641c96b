"""The names ``request``, ``websocket``, ``g`` and ``current_app``: CX-1, CX-2."""

import copy
import doctest
import inspect
import types
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from erlen import Erlen, Request, WebSocket, current_app, g, request, websocket
from erlen.context import Globals, current_context
from erlen.exceptions import OutsideContextError
from erlen.proxies import Proxy

PROXIES = {"request": request, "websocket": websocket, "g": g, "current_app": current_app}


@pytest.fixture
def app() -> Iterator[Erlen]:
    """An application whose context is entered."""
    app = Erlen("shop")
    with app.app_context():
        yield app


class Box:
    """Anything a proxy may stand for."""

    def __init__(self, **items: Any) -> None:
        self.items = items
        self.attribute = "value"

    def __bool__(self) -> bool:
        return bool(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, key: object) -> bool:
        return key in self.items

    def __iter__(self) -> Iterator[str]:
        return iter(self.items)

    async def __aiter__(self) -> Any:
        for key in self.items:
            yield key

    def __getitem__(self, key: str) -> Any:
        return self.items[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.items[key] = value

    def __delitem__(self, key: str) -> None:
        del self.items[key]

    def __repr__(self) -> str:
        return f"<box of {sorted(self.items)}>"


@pytest.fixture
def box() -> Box:
    return Box(a=1)


@pytest.fixture
def proxy(box: Box) -> Iterator[Any]:
    """A proxy for the attribute ``box`` of the current context."""
    token = current_context.set(SimpleNamespace(box=box))  # type: ignore[arg-type]  # has a box
    yield Proxy("box")
    current_context.reset(token)


# --- bound ------------------------------------------------------------------------------------------


def test_cx2_attributes_are_those_of_the_object(proxy: Any, box: Box) -> None:
    proxy.other = proxy.attribute
    assert box.other == "value"  # type: ignore[attr-defined]  # found at run time only
    del proxy.other
    assert not hasattr(box, "other")


def test_cx2_items_are_those_of_the_object(proxy: Any, box: Box) -> None:
    proxy["b"] = proxy["a"]
    del proxy["a"]
    assert box.items == {"b": 1}
    assert (len(proxy), "b" in proxy, list(proxy)) == (1, True, ["b"])


async def test_cx2_asynchronous_iteration_is_the_objects(proxy: Any) -> None:
    assert [key async for key in proxy] == ["a"]


def test_cx2_object_can_be_had(proxy: Any, box: Box) -> None:
    assert proxy._get_current_object() is box


def test_cx2_repr_bool_and_dir_are_the_objects(proxy: Any, box: Box) -> None:
    assert (repr(proxy), bool(proxy)) == ("<box of ['a']>", True)
    assert dir(proxy) == dir(box)
    box.items.clear()
    assert not proxy


def test_cx2_isinstance_sees_the_object(proxy: Any) -> None:
    assert isinstance(proxy, Box)
    assert not isinstance(proxy, str)


def test_cx2_proxy_equals_and_hashes_as_its_object(proxy: Any, box: Box) -> None:
    assert proxy == box
    assert proxy != Box()
    assert {box: 1}[proxy] == 1


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_cx2_copy_is_one_of_the_object(proxy: Any, box: Box, copier: Any) -> None:
    found = copier(proxy)
    assert type(found) is Box
    assert found.items == box.items
    assert vars(box).keys() == {"items", "attribute"}


def test_cx5_g_works_through_its_proxy(app: Erlen) -> None:
    g.name = "value"
    assert ("name" in g, list(g), g.get("name"), g.pop("name")) == (
        True,
        ["name"],
        "value",
        "value",
    )
    assert isinstance(g, Globals)
    assert repr(g) == "<erlen.g of 'shop'>"


def test_current_app_is_the_application(app: Erlen) -> None:
    assert current_app == app
    assert isinstance(current_app, Erlen)


async def test_request_and_websocket_are_of_their_classes() -> None:
    app = Erlen("shop")
    app.get("/")(lambda: repr((isinstance(request, Request), isinstance(request, WebSocket))))

    @app.websocket("/")
    async def socket() -> None:
        await websocket.send(repr(isinstance(websocket, WebSocket)))

    client = app.test_client()
    assert (await client.get("/")).text == "(True, False)"
    async with client.websocket("/") as session:
        assert await session.receive() == "True"


@pytest.mark.parametrize("call", [lambda: websocket.send(""), websocket.receive])
async def test_a_message_in_a_request_is_told_to_be_out_of_place(call: Any) -> None:
    app = Erlen("shop")

    @app.get("/")
    async def view() -> str:
        with pytest.raises(OutsideContextError, match=r"^'websocket' stands for nothing here"):
            await call()
        return "told"

    assert (await app.test_client().get("/")).text == "told"


# --- unbound ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "proxy"), PROXIES.items())
def test_cx2_unbound_proxy_is_false_and_says_so(name: str, proxy: Any) -> None:
    assert (bool(proxy), repr(proxy), dir(proxy)) == (False, f"<unbound {name}>", [])
    assert isinstance(proxy, Proxy)


@pytest.mark.parametrize("proxy", PROXIES.values(), ids=PROXIES)
def test_cx2_attribute_of_an_unbound_proxy_raises(proxy: Any) -> None:
    with pytest.raises(OutsideContextError):
        _ = proxy.anything
    with pytest.raises(OutsideContextError):
        proxy.anything = 1
    with pytest.raises(OutsideContextError):
        iter(proxy)


@pytest.mark.parametrize(("name", "proxy"), PROXIES.items(), ids=PROXIES)
@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda proxy: proxy.anything, id="get"),
        pytest.param(lambda proxy: setattr(proxy, "anything", 1), id="set"),
        pytest.param(lambda proxy: delattr(proxy, "anything"), id="delete"),
        pytest.param(lambda proxy: proxy["anything"], id="item"),
        pytest.param(len, id="len"),
        pytest.param(hash, id="hash"),
        pytest.param(aiter, id="aiter"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(lambda proxy: proxy._get_current_object(), id="object"),
        pytest.param(lambda proxy: proxy.receive(), id="receive"),
        pytest.param(lambda proxy: proxy.send(""), id="send"),
    ],
)
def test_cx2_error_outside_of_a_context_names_the_proxy(name: str, proxy: Any, use: Any) -> None:
    with pytest.raises(OutsideContextError, match=f"^'{name}' stands for nothing here") as caught:
        use(proxy)
    assert "There is no context here: no exchange is running." in str(caught.value)


@pytest.mark.parametrize("name", ["request", "websocket"])
def test_cx2_error_in_an_application_context_names_the_proxy(app: Erlen, name: str) -> None:
    proxy: Any = PROXIES[name]
    with pytest.raises(OutsideContextError, match=f"^'{name}' stands .* application context"):
        _ = proxy.path


@pytest.mark.parametrize("proxy", PROXIES.values(), ids=PROXIES)
def test_tools_that_look_at_every_global_find_nothing_special(proxy: Any) -> None:
    assert inspect.unwrap(proxy) is proxy
    assert not inspect.iscoroutinefunction(proxy)
    with pytest.raises(AttributeError, match="has no '__wrapped__'"):
        _ = proxy.__wrapped__


def test_doctest_walks_over_a_module_with_proxies() -> None:
    module = types.ModuleType("module")
    module.__dict__.update(PROXIES)
    assert doctest.DocTestFinder().find(module) == []


async def test_what_a_request_has_of_its_own_is_found_without_a_detour(app: Erlen) -> None:
    async with app.test_request_context("/"):
        own = {name for name in vars(request._get_current_object()) if name[0] != "_"}
    assert own == {"scope", "settings", "path", "url_rule", "view_args", "routing_exception"}
    assert own <= vars(type(request)).keys()
