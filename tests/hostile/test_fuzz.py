"""Anything at all: whatever arrives is answered, and never with a 500."""

import functools
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erlen.protocols import Message
from tests.hostile.application import make_app
from tests.hostile.harness import HOST, Bare, binary, left, part, text

APP = make_app(BODY_TIMEOUT=0.05)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "DELETE"]) | st.text(max_size=5)
PATHS = st.sampled_from(
    [
        "/ok",
        "/x/a",
        "/args",
        "/cookies",
        "/headers",
        "/host",
        "/data",
        "/chunks",
        "/json",
        "/stream",
    ]
)
NAMES = st.sampled_from(
    [
        b"accept", b"accept-charset", b"accept-language", b"authorization", b"cache-control",
        b"content-length", b"content-type", b"cookie", b"expect", b"host", b"if-match",
        b"if-modified-since", b"if-none-match", b"origin", b"range", b"transfer-encoding", b"x-a",
    ]
) | st.binary(max_size=5)  # fmt: skip
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=30)), max_size=5)
BODIES = st.lists(st.binary(max_size=10), min_size=1, max_size=4)


def answer(**arguments: Any) -> int:
    call = functools.partial(Bare(APP, APP.ran).http, **arguments)
    return anyio.run(call).status


@given(METHODS, PATHS, FIELDS, st.binary(max_size=30), BODIES)
@settings(max_examples=200, deadline=None)
def test_any_request_is_answered(
    method: str, path: str, fields: Any, query: bytes, chunks: list[bytes]
) -> None:
    body = [part(chunk, more=True) for chunk in chunks[:-1]] + [part(chunks[-1])]
    status = answer(
        path=path, method=method, headers=[HOST, *fields], query_string=query, body=body
    )
    assert 200 <= status < 500


@given(st.binary(max_size=40), st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_target_is_answered(raw: bytes, path: str) -> None:
    assert 200 <= answer(path=raw.decode("utf-8", "replace"), raw_path=raw) < 500
    assert 200 <= answer(path=path, raw_path=None) < 500


MESSAGES = st.one_of(
    st.builds(text, st.text(st.characters(), max_size=10)),
    st.builds(binary, st.binary(max_size=10)),
    st.builds(left, st.none() | st.integers(0, 5000), st.text(max_size=5)),
)


@given(
    st.sampled_from(["/ws/echo", "/ws/json", "/ws/text", "/ws/bytes", "/ws/forgiving", "/ws/one"]),
    st.lists(MESSAGES, max_size=4),
    FIELDS,
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_any_talk_over_a_websocket_ends(
    path: str, messages: list[Message], fields: Any, denial: bool
) -> None:
    call = functools.partial(Bare(APP, APP.ran).websocket, headers=[HOST, *fields], denial=denial)
    sent = anyio.run(functools.partial(call, path, *messages, left())).sent
    kinds = [message["type"] for message in sent]
    assert "websocket.close" not in kinds[:-1]
    assert not any(message.get("code") == 1011 for message in sent)


@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_a_log_shows_nothing_of_a_request_raw(size: int) -> None:
    assert answer(path="/x/\u202e" + "é" * size) in {200, 414}
