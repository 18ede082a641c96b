"""Callables of every kind as coroutine functions: SY-4, DESIGN law 2."""

import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from erlen import Erlen
from erlen.callables import name_of
from erlen.pipeline.adapt import adapt, plain_of


def where(text: str = "") -> str:
    is_main = threading.current_thread() is threading.main_thread()
    return f"{text}{'loop' if is_main else 'thread'}"


async def coroutine(text: str = "") -> str:
    return where(text)


class Callable_:  # noqa: N801  # the name is what is tested
    def __call__(self, text: str = "") -> str:
        return where(text)

    def method(self, text: str = "") -> str:
        return where(text)


class AsyncCallable:
    async def __call__(self, text: str = "") -> str:
        return where(text)

    async def method(self, text: str = "") -> str:
        return where(text)


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap as decorators written for Flask do."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


KINDS = {
    "def": (where, "thread"),
    "async-def": (coroutine, "loop"),
    "lambda": (lambda text="": where(text), "thread"),
    "partial": (functools.partial(where), "thread"),
    "partial-of-async": (functools.partial(coroutine), "loop"),
    "partial-of-partial": (functools.partial(functools.partial(coroutine)), "loop"),
    "object": (Callable_(), "thread"),
    "async-object": (AsyncCallable(), "loop"),
    "partial-of-async-object": (functools.partial(AsyncCallable()), "loop"),
    "method": (Callable_().method, "thread"),
    "async-method": (AsyncCallable().method, "loop"),
    "decorated-async": (decorated(coroutine), "loop"),
    "decorated-def": (decorated(where), "thread"),
}


@pytest.mark.parametrize(
    ("function", "expected"), [pytest.param(*row, id=f"SY-4-{name}") for name, row in KINDS.items()]
)
async def test_sy4_every_kind_of_callable_runs_where_it_should(
    function: Any, expected: str
) -> None:
    async with Erlen("shop").app_context():
        assert await adapt(function)() == expected
        assert await adapt(function)("positional ") == f"positional {expected}"
        assert await adapt(function)(text="keyword ") == f"keyword {expected}"


async def test_class_is_called_in_the_thread() -> None:
    async with Erlen("shop").app_context():
        assert await adapt(dict)(a=1) == {"a": 1}


async def test_generator_function_makes_its_generator_without_a_thread() -> None:
    def plain() -> Iterator[str]:
        yield "plain"

    async def asynchronous() -> AsyncIterator[str]:
        yield "async"

    assert list(await adapt(plain)()) == ["plain"]
    assert [chunk async for chunk in await adapt(asynchronous)()] == ["async"]


def test_coroutine_function_stays_itself() -> None:
    assert adapt(coroutine) is coroutine
    assert plain_of(adapt(coroutine)) is None


@pytest.mark.parametrize("function", [where, Callable_(), functools.partial(where)])
def test_plain_function_can_be_had_back(function: Any) -> None:
    assert plain_of(adapt(function)) is function


def test_adapted_function_keeps_name_and_documentation() -> None:
    def documented() -> None:
        """Say what it does."""

    adapted: Any = adapt(documented)
    assert (adapted.__name__, adapted.__doc__) == ("documented", "Say what it does.")


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (where, "where"),
        (functools.partial(where), "where"),
        (Callable_().method, "Callable_.method"),
        (object, "object"),
    ],
)
def test_name_is_what_the_user_wrote(function: Any, name: str) -> None:
    assert name_of(function) == name


def test_name_of_an_object_is_its_repr() -> None:
    assert "AsyncCallable object" in name_of(AsyncCallable())


@pytest.mark.parametrize("is_async", [True, False])
async def test_sy_view_behind_a_def_decorator_is_awaited(is_async: bool) -> None:
    app = Erlen("shop")

    async def asynchronous(name: str) -> str:
        return where(f"{name} ")

    def plain(name: str) -> str:
        return where(f"{name} ")

    app.get("/<name>")(decorated(asynchronous if is_async else plain))
    response = await app.test_client().get("/Ada")
    assert response.text == f"Ada {'loop' if is_async else 'thread'}"


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param((201,), id="status"),
        pytest.param((201, {"x-a": "b"}), id="status-and-headers"),
    ],
)
@pytest.mark.parametrize("kind", ["view", "handler"])
async def test_sy_coroutine_in_a_tuple_of_a_def_function_is_awaited(
    kind: str, rest: tuple[Any, ...]
) -> None:
    app = Erlen("shop")
    if kind == "view":
        app.get("/")(lambda: (coroutine("body in the "), *rest))
    else:
        app.errorhandler(404)(lambda error: (coroutine("body in the "), *rest))
    response = await app.test_client().get("/")
    assert (response.status_code, response.text) == (201, "body in the loop")
    assert response.headers.get("x-a") == ("b" if len(rest) == 2 else None)


@pytest.mark.parametrize("value", [(), ("text", 201), [coroutine]])
async def test_other_values_of_a_def_function_stay_as_they_are(value: Any) -> None:
    app = Erlen("shop")
    async with app.app_context():
        assert await adapt(lambda: value)() is value
