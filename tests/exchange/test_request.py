"""The request: body and JSON."""

import threading
from typing import Any

import anyio
import pytest

from erlen.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from erlen.exchange.request import JSON_THREAD_THRESHOLD, Request
from erlen.json import DefaultJSONProvider
from tests.exchange.wire import LEFT, feed, part, scope_of, settings

JSON = "application/json"


def posted(body: bytes = b"", kind: str | None = JSON, **config: Any) -> Request:
    fields = [(b"host", b"example.com")]
    if kind is not None:
        fields.append((b"content-type", kind.encode()))
    scope = scope_of(headers=fields, method="POST")
    return Request(scope, feed(part(body)), settings(**config))


# --- bytes ----------------------------------------------------------------------------------------


async def test_rq10_data_is_the_body_in_bytes_or_text() -> None:
    request = posted("é".encode() + b"\xff")
    assert await request.data == await request.get_data() == b"\xc3\xa9\xff"
    assert await request.get_data(as_text=True) == "é\ufffd"


async def test_data_that_is_not_kept_is_consumed() -> None:
    request = posted(b"a")
    assert await request.get_data(cache=False) == b"a"
    with pytest.raises(RuntimeError, match="already read"):
        await request.get_data()


async def test_b072_a_get_may_have_a_body() -> None:
    assert await Request(scope_of(), feed(part(b"a")), settings()).get_data() == b"a"


async def test_b067_bd3_the_limit_of_one_request_can_be_changed_before_it_is_read() -> None:
    request = posted(b"abc", MAX_CONTENT_LENGTH=2)
    assert request.max_content_length == 2
    request.max_content_length = 3
    assert await request.get_data() == b"abc"


async def test_b067_the_innermost_limit_wins_downwards_too() -> None:
    request = posted(b"abc")
    request.max_content_length = 2
    with pytest.raises(RequestEntityTooLarge):
        await request.get_data()


@pytest.mark.parametrize(("debug", "said"), [(True, True), (False, False)])
async def test_p42_the_setting_is_named_in_debug_mode(debug: bool, said: bool) -> None:
    request = posted(b"abc", MAX_CONTENT_LENGTH=2, DEBUG=debug)
    with pytest.raises(RequestEntityTooLarge) as caught:
        await request.get_data()
    assert ("The limit is MAX_CONTENT_LENGTH" in str(caught.value.description)) == said


async def test_the_declared_length_is_that_of_the_header() -> None:
    scope = scope_of(headers=[(b"content-length", b"5")])
    with pytest.raises(BadRequest):
        await Request(scope, feed(part(b"abc")), settings()).get_data()


# --- JSON -----------------------------------------------------------------------------------------


async def test_rq10_json_is_the_value_and_the_same_object_again() -> None:
    request = posted(b'{"a": [1]}')
    value = await request.json
    assert value == {"a": [1]}
    assert await request.get_json() is await request.get_json(silent=True) is value


async def test_bd6_without_cache_the_text_is_parsed_again() -> None:
    request = posted(b"[1]")
    first = await request.get_json()
    second = await request.get_json(cache=False)
    assert first == second
    assert first is not second


@pytest.mark.parametrize(
    ("kind", "ok"),
    [
        pytest.param(None, False, id="missing"),
        pytest.param("text/plain", False, id="text"),
        pytest.param("application/x-www-form-urlencoded", False, id="form"),
        pytest.param("application/json;charset=latin-1", False, id="latin-1"),
        pytest.param("application/json;charset=utf-7", False, id="utf-7"),
        pytest.param("application/vnd.api+json", True, id="suffix"),
        pytest.param('APPLICATION/JSON ; charset="UTF-8"', True, id="upper-case"),
    ],
)
async def test_b093_only_json_in_utf8_is_read(kind: str | None, ok: bool) -> None:
    if ok:
        assert await posted(b"[1]", kind).get_json() == [1]
    else:
        with pytest.raises(UnsupportedMediaType, match="application/json"):
            await posted(b"[1]", kind).get_json()
        assert await posted(b"[1]", kind).get_json(silent=True) is None
        assert await posted(b"[1]", kind).get_json(force=True) == [1]


async def test_b093_force_skips_only_the_type() -> None:
    with pytest.raises(BadRequest):
        await posted(b"[1", "text/plain").get_json(force=True)


async def test_bd6_silence_about_malformed_text_does_not_last() -> None:
    request = posted(b"{")
    assert await request.get_json(silent=True) is None
    assert await request.get_json(silent=True) is None
    with pytest.raises(BadRequest):
        await request.get_json()


@pytest.mark.parametrize(("debug", "detail"), [(True, "malformed"), (False, "")])
async def test_bd6_only_debug_mode_tells_what_is_wrong(debug: bool, detail: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await posted(b"{", DEBUG=debug).get_json()
    assert caught.value.description is not None
    assert caught.value.description.startswith("The request body is not valid JSON.")
    assert ("malformed" in caught.value.description) is bool(detail)


async def test_silence_is_about_the_text_and_not_about_the_limit() -> None:
    with pytest.raises(RequestEntityTooLarge):
        await posted(b"[1]", MAX_CONTENT_LENGTH=2).get_json(silent=True)


class Lenient(Request):
    def on_json_loading_failed(self, error: Exception | None) -> Any:
        return {"instead": error is None}


@pytest.mark.parametrize(("kind", "none"), [(JSON, False), ("text/plain", True)])
async def test_rq11_a_subclass_may_answer_in_place_of_the_error(kind: str, none: bool) -> None:
    scope = scope_of(headers=[(b"content-type", kind.encode())])
    request = Lenient(scope, feed(part(b"{")), settings())
    assert await request.get_json() == {"instead": none}


class Recording(DefaultJSONProvider):
    threads: tuple[int, ...] = ()

    def loads(self, text: Any, /, **options: Any) -> Any:
        self.threads += (threading.get_ident(),)
        return super().loads(text, **options)


@pytest.mark.parametrize("extra", [0, 1], ids=["at-the-threshold", "over-it"])
async def test_b094_a_large_text_is_parsed_beside_the_loop(extra: int) -> None:
    body = b'"' + b"x" * (JSON_THREAD_THRESHOLD - 2 + extra) + b'"'
    request = posted(body)
    provider = Recording()
    request.settings = request.settings._replace(json=provider)
    assert len(await request.get_json()) == len(body) - 2
    assert (provider.threads != (threading.get_ident(),)) is bool(extra)


@pytest.mark.parametrize("first", ["json", "data", "body"])
@pytest.mark.parametrize("second", ["json", "data", "body"])
async def test_b068_the_body_may_be_had_in_every_way_and_again(first: str, second: str) -> None:
    request = posted(b"[1]")
    with anyio.fail_after(1):
        for way in (first, second):
            assert await getattr(request, way) in ([1], b"[1]")


# --- forms ----------------------------------------------------------------------------------------

FORM = "application/x-www-form-urlencoded"


async def test_rq10_form_files_and_values_are_awaited() -> None:
    request = posted(b"a=1", FORM)
    for name in ("form", "files", "values"):
        with pytest.raises(TypeError, match=rf"Write '\(await request\.{name}\)' in its place"):
            getattr(request, name)["a"]
    assert ((await request.form)["a"], (await request.values)["a"]) == ("1", "1")
    assert not await request.files


class Understanding(Request):
    """A request that is a form, whatever it says."""

    mimetype = "application/x-www-form-urlencoded"
    query_string = b"c=d"


async def test_a_subclass_says_what_the_query_and_the_body_are() -> None:
    request = Understanding(scope_of(method="POST"), feed(part(b"a=b")), settings())
    assert (await request.form).to_dict() == {"a": "b"}
    assert request.args.to_dict() == {"c": "d"}


async def test_rq9_limits_of_forms_are_those_of_the_configuration_and_can_be_changed() -> None:
    config = {"MAX_FORM_MEMORY_SIZE": 1, "MAX_FORM_PARTS": 2, "MAX_FORM_FILES": 3}
    request = posted(b"a=1", FORM, **config)
    names = [key.lower() for key in config]
    assert [getattr(request, name) for name in names] == [1, 2, 3]
    for name in names:
        setattr(request, name, None)
    assert await request.form == {"a": "1"}


async def test_json_that_is_forced_from_a_form_needs_its_bytes_kept() -> None:
    request = posted(b"[1]", FORM)
    await request.data
    with pytest.raises(RuntimeError, match="as a form"):
        await request.get_json(force=True)
    request = posted(b"[1]", FORM)
    assert await request.get_data() == await request.data == b"[1]"
    assert await request.get_json(force=True) == [1]


async def test_bd10_a_request_without_uploads_has_nothing_to_close() -> None:
    request = posted(b"a=1", FORM)
    await request.form
    assert not request.must_close
    await request.close()


def test_rq12_the_repr_says_request() -> None:
    assert repr(posted()) == "<Request 'http://example.com/' [POST]>"


# --- the client -------------------------------------------------------------------------------------


async def test_pains4_everybody_who_waits_learns_that_the_client_left() -> None:
    request = Request(scope_of(), feed(part(b"a"), LEFT), settings())
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(request.wait_disconnected)
            assert await request.get_data() == b"a"
    assert request.is_disconnected


async def test_pains4_asking_begins_to_listen() -> None:
    request = Request(scope_of(), feed(part(), LEFT), settings())
    answers = {request.is_disconnected}
    await anyio.wait_all_tasks_blocked()
    answers.add(request.is_disconnected)
    assert answers == {False, True}
    await request.close()


async def test_a_listener_ends_with_its_request() -> None:
    request = Request(scope_of(), feed(part()), settings())
    assert (request.is_disconnected, request.is_disconnected) == (False, False)
    await anyio.wait_all_tasks_blocked()
    assert request.must_close
    await request.close()
    assert request._listener is not None
    assert request._listener.is_done


async def test_pains3_what_must_finish_is_shielded() -> None:
    finished = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        with posted().shield():
            await anyio.lowlevel.checkpoint()
            finished.append("payment")
    assert finished == ["payment"]
