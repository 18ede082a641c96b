"""Views written as classes, through a whole application."""

import threading
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import pytest

from erlen.app import Erlen
from erlen.views import MethodView, View


async def fetch(app: Erlen, method: str, path: str = "/") -> tuple[int, str]:
    """Send one request; return status and body."""
    async with app.test_client() as client:
        response = await client.request(method, path)
    return response.status_code, response.text


def serve(cls: type[View], path: str = "/", *args: Any, **options: Any) -> Erlen:
    app = Erlen("shop")
    app.add_url_rule(path, view_func=cls.as_view("view", *args), **options)
    return app


def thread() -> str:
    return "main" if threading.current_thread() is threading.main_thread() else "worker"


class Plain(View):
    """Says where it runs."""

    methods = ("GET", "POST")
    provide_automatic_options = False

    def __init__(self, greeting: str = "Hello") -> None:
        self.greeting = greeting

    def dispatch_request(self, name: str = "world") -> str:
        return f"{self.greeting}, {name}, from the {thread()} thread"


class Coroutine(View):
    async def dispatch_request(self, name: str) -> str:
        return f"{name} in the {thread()} thread"


class Reading(MethodView):
    async def get(self) -> str:
        return f"read in {thread()}"


class Mixed(Reading):
    def post(self) -> str:
        return f"written in {thread()}"


# --- CB-1 -----------------------------------------------------------------------------------------


def test_cb1_view_function_bears_the_facts_of_the_class() -> None:
    view: Any = Plain.as_view("hello")
    assert (view.__name__, view.__doc__, view.__module__) == ("hello", Plain.__doc__, __name__)
    assert view.__qualname__ == "Plain.as_view('hello')"
    assert (view.view_class, view.methods) == (Plain, ("GET", "POST"))
    assert view.provide_automatic_options is False


async def test_cb1_plain_view_runs_in_the_worker_thread() -> None:
    app = serve(Plain, "/<name>", "Hi")
    assert await fetch(app, "POST", "/Ada") == (200, "Hi, Ada, from the worker thread")


async def test_cb1_coroutine_view_runs_on_the_event_loop() -> None:
    app = serve(Coroutine, "/<name>")
    assert await fetch(app, "GET", "/Ada") == (200, "Ada in the main thread")


def test_cb1_kind_of_the_function_is_the_kind_of_the_class() -> None:
    assert iscoroutinefunction(Coroutine.as_view("v"))
    assert iscoroutinefunction(Mixed.as_view("v"))
    assert not iscoroutinefunction(Plain.as_view("v"))


async def test_cb1_class_of_the_function_can_be_patched() -> None:
    class Other(Plain):
        def dispatch_request(self, name: str = "") -> str:
            return "other"

    app = serve(Plain)
    view: Any = app.view_functions["view"]
    view.view_class = Other
    assert await fetch(app, "GET") == (200, "other")


def test_cb1_cb3_decorators_apply_in_order_and_see_name_and_module() -> None:
    seen = []

    def note(text: str) -> Callable[..., Any]:
        def decorate(function: Any) -> Any:
            seen.append((text, function.__name__, function.__module__))
            return lambda: f"{text}({function()})"

        return decorate

    class Decorated(View):
        decorators = (note("inner"), note("outer"))

        def dispatch_request(self) -> str:
            return "view"

    view: Any = Decorated.as_view("name")
    assert view() == "outer(inner(view))"
    assert seen == [("inner", "name", __name__), ("outer", "name", __name__)]
    assert view.view_class is Decorated


def test_view_without_dispatch_request_says_what_to_define() -> None:
    with pytest.raises(NotImplementedError, match="View has no dispatch_request"):
        View.as_view("v")()


# --- CB-3 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "made"), [(True, 2), (False, 1)])
def test_cb3_instance_for_each_request_or_one_for_all(every: bool, made: int) -> None:
    instances = []

    class Counting(View):
        init_every_request = every

        def __init__(self) -> None:
            instances.append(self)

        def __len__(self) -> int:
            return 0

        def dispatch_request(self) -> str:
            return ""

    view = Counting.as_view("v")
    view()
    view()
    assert len(instances) == made


async def test_cb3_one_class_backs_several_endpoints() -> None:
    app = Erlen("shop")
    app.add_url_rule("/a", view_func=Plain.as_view("a", "A"))
    app.add_url_rule("/b", view_func=Plain.as_view("b", greeting="B"))
    assert (await fetch(app, "GET", "/a"))[1].startswith("A, world")
    assert (await fetch(app, "GET", "/b"))[1].startswith("B, world")


# --- CB-2 -----------------------------------------------------------------------------------------


def test_cb2_methods_are_those_of_the_class_and_its_bases() -> None:
    class Propfind(MethodView):
        methods = ("PROPFIND",)

    class Both(Mixed, Propfind):
        def delete(self) -> str:
            return ""

    assert Reading.methods == ["GET"]
    assert Mixed.methods == ["GET", "POST"]
    assert list(Both.methods) == ["DELETE", "GET", "POST", "PROPFIND"]


def test_cb2_class_without_methods_leaves_them_to_the_rule() -> None:
    class Empty(MethodView):
        pass

    assert Empty.methods is None


async def test_cb2_methods_in_the_class_body_replace_the_found_ones() -> None:
    class Custom(Mixed):
        methods = ("GET", "PROPFIND")

        async def propfind(self) -> str:
            return "found"

    app = serve(Custom)
    assert await fetch(app, "PROPFIND") == (200, "found")
    assert (await fetch(app, "POST"))[0] == 405


async def test_cb2_plain_methods_beside_coroutines_run_in_the_worker_thread() -> None:
    app = serve(Mixed)
    assert await fetch(app, "GET") == (200, "read in main")
    assert await fetch(app, "POST") == (200, "written in worker")


async def test_cb2_class_of_plain_methods_runs_in_the_worker_thread() -> None:
    class Writing(MethodView):
        def put(self) -> str:
            return thread()

    assert await fetch(serve(Writing), "PUT") == (200, "worker")


async def test_cb2_head_is_answered_by_get_or_by_head() -> None:
    calls = []

    class Heads(Reading):
        async def get(self) -> str:
            calls.append("get")
            return ""

    class OwnHead(Heads):
        async def head(self) -> str:
            calls.append("head")
            return ""

    assert (await fetch(serve(Heads), "HEAD"))[0] == 200
    assert (await fetch(serve(OwnHead), "HEAD"))[0] == 200
    assert calls == ["get", "head"]


@pytest.mark.parametrize("method", ["PATCH", "HEAD"])
async def test_cb2_method_that_only_the_rule_has_is_405(method: str) -> None:
    class Writing(MethodView):
        async def post(self) -> str:
            return ""

    app = serve(Writing, methods=["POST", "PATCH", "HEAD"])
    assert (await fetch(app, method))[0] == 405


async def test_coroutine_behind_a_plain_decorator_is_awaited() -> None:
    def decorated(function: Callable[..., Awaitable[str]]) -> Callable[..., Awaitable[str]]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Awaitable[str]:
            return function(*args, **kwargs)

        return wrapper

    class Hidden(Reading):
        @decorated
        async def post(self) -> str:
            return thread()

    assert await fetch(serve(Hidden), "POST") == (200, "main")


async def test_override_of_dispatch_request_may_await_every_method() -> None:
    class Guarded(MethodView):
        async def dispatch_request(self, *args: Any, **kwargs: Any) -> Any:
            return f"<{await super().dispatch_request(*args, **kwargs)}>"

        def get(self) -> str:
            return thread()

    assert await fetch(serve(Guarded), "GET") == (200, "<worker>")
