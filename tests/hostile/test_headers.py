"""Catalogue 2.3: methods and header sections."""

import json
from typing import Any

import pytest
from anyio.lowlevel import checkpoint

from erlen import g, request
from tests.hostile.application import make_app
from tests.hostile.harness import HOST, Bare, part


@pytest.mark.parametrize(
    "method",
    [
        pytest.param("get", id="b033-lower-case"),
        pytest.param("FO%", id="b033-percent"),
        pytest.param("A" * 5000, id="b033-long"),
        pytest.param("_DO_DELETE", id="b033-underscore"),
        pytest.param("__init__", id="b033-dunder"),
        pytest.param("", id="b033-empty"),
        pytest.param("G\r\nET", id="b033-newline"),
        pytest.param("TRACE", id="b034"),
        pytest.param("DELETE", id="b033-not-allowed"),
    ],
)
async def test_a_method_that_the_rule_does_not_have_is_405(server: Bare, method: str) -> None:
    answer = await server.http("/x/a", method=method, headers=[HOST, (b"x-secret", b"s3cret")])
    assert (answer.status, answer.ran) == (405, [])
    assert answer.headers[b"allow"] == b"GET, HEAD, OPTIONS"
    assert b"s3cret" not in answer.body


async def test_b035_head_of_a_stream_sends_nothing_and_closes_it(server: Bare) -> None:
    got = await server.http("/stream")
    answer = await server.http("/stream", method="HEAD")
    assert (got.body, answer.body, answer.headers) == (b"012", b"", got.headers)


async def test_b035_head_has_the_length_of_get(server: Bare) -> None:
    got, head = await server.http("/c"), await server.http("/c", method="HEAD")
    assert (head.headers, head.body) == (got.headers, b"")
    assert head.headers[b"content-length"] == b"11"


async def test_b036_an_explicit_options_view_runs(server: Bare) -> None:
    answer = await server.http("/hooked/a", method="OPTIONS")
    assert (answer.status, answer.body, answer.ran) == (200, b"OPTIONS", ["explicit"])


async def test_b036_options_without_a_view_is_answered_with_204_and_allow(server: Bare) -> None:
    answer = await server.http("/x/a", method="OPTIONS")
    assert (answer.status, answer.body, answer.ran) == (204, b"", [])
    assert answer.headers == {b"allow": b"GET, HEAD, OPTIONS"}


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
async def test_b036_b186_http_on_a_websocket_rule_is_400(server: Bare, method: str) -> None:
    answer = await server.http("/ws/echo", method=method)
    assert (answer.status, answer.ran) == (400, [])


async def test_b037_a_method_override_is_ignored(server: Bare) -> None:
    answer = await server.http("/x/a", headers=[HOST, (b"x-http-method-override", b"DELETE")])
    assert (answer.status, answer.ran) == (200, ["segment"])


@pytest.mark.parametrize(
    "header",
    [
        pytest.param((b"x-f", b"a\r\n b"), id="b038-folded"),
        pytest.param((b"x-f", b"a\nb"), id="b038-newline"),
        pytest.param((b"x-f", b"a\0b"), id="b039-nul"),
        pytest.param((b"x-f", b"a\rb"), id="b039-return"),
        pytest.param((b"x-f", b"a\x0bb"), id="b039-vertical-tab"),
        pytest.param((b"x-f", b"a\x0cb"), id="b039-form-feed"),
        pytest.param((b"x-f", b"a\x1cb"), id="b039-separator"),
        pytest.param((b"x f", b"a"), id="b040-space"),
        pytest.param((b"x-f ", b"a"), id="b040-space-before-colon"),
        pytest.param((b"", b"a"), id="b040-empty"),
        pytest.param((b":", b"a"), id="b040-colon"),
        pytest.param((b"x(f", b"a"), id="b040-no-token"),
        pytest.param((b"x-\xe9", b"a"), id="b040-not-ascii"),
    ],
)
async def test_a_malformed_header_is_400(server: Bare, header: tuple[bytes, bytes]) -> None:
    answer = await server.http("/headers", headers=[HOST, header])
    assert (answer.status, answer.ran) == (400, [])


@pytest.mark.parametrize(
    ("header", "pair"),
    [
        pytest.param((b"X-F", b"a"), ["x-f", "a"], id="b040-upper-case"),
        pytest.param((b"x_forwarded_for", b"a"), ["x_forwarded_for", "a"], id="b041"),
        pytest.param((b"content_length", b"9"), ["content_length", "9"], id="b041-length"),
        pytest.param((b"x-f", b"\x80\xff"), ["x-f", "\x80\xff"], id="b044-latin-1"),
        pytest.param((b"x-f", b"\x85"), ["x-f", "\x85"], id="b039-c1-is-latin-1"),
        pytest.param((b"x-f", b"a\tb"), ["x-f", "a\tb"], id="tab"),
    ],
)
async def test_an_odd_header_is_kept_as_it_is(
    server: Bare, header: tuple[bytes, bytes], pair: list[str]
) -> None:
    answer = await server.http("/headers", headers=[HOST, header])
    assert pair in json.loads(answer.body)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(b"x-f", b"")] * 100_000, id="b042-100000-headers"),
        pytest.param([(b"x-f", b"a" * 70_000)], id="b043-70-kB"),
        pytest.param([(b"x-%d" % n, b"") for n in range(2000)], id="b043-2000-headers"),
    ],
)
async def test_a_header_section_over_the_limit_is_431(server: Bare, headers: Any) -> None:
    answer = await server.http("/headers", headers=[HOST, *headers])
    assert (answer.status, answer.ran) == (431, [])


@pytest.mark.parametrize(
    "name", [b"host", b"content-length", b"content-type", b"transfer-encoding"]
)
async def test_b045_what_may_not_be_repeated_with_another_value_is_400(
    server: Bare, name: bytes
) -> None:
    answer = await server.http("/headers", headers=[HOST, (name, b"1"), (name, b"2")])
    assert (answer.status, answer.ran) == (400, [])


async def test_b045_of_other_repeated_headers_all_are_there(server: Bare) -> None:
    fields = [(b"authorization", b"Basic a"), (b"authorization", b"Basic b")]
    answer = await server.http("/headers", headers=[HOST, *fields])
    assert json.loads(answer.body)[1:] == [
        ["authorization", "Basic a"],
        ["authorization", "Basic b"],
    ]


async def test_b049_each_request_sees_only_its_own() -> None:
    app = make_app()

    @app.view("/own/<value>")
    async def own(value: str) -> str:
        seen = g.get("value", "nothing")
        g.value = value
        await checkpoint()
        return f"{seen} {g.value} {request.path}"

    server = Bare(app, app.ran)
    for value in "abc":
        assert (await server.http(f"/own/{value}")).body == f"nothing {value} /own/{value}".encode()


@pytest.mark.parametrize(("path", "taken"), [("/data", 1), ("/unread", 0)])
async def test_b050_the_body_is_asked_for_only_when_it_is_read(
    server: Bare, path: str, taken: int
) -> None:
    headers = [HOST, (b"expect", b"100-continue"), (b"content-length", b"1")]
    answer = await server.http(path, method="POST", headers=headers, body=b"a")
    assert (answer.status, answer.taken) == (200, taken)


async def test_b050_a_body_that_is_too_large_is_refused_before_it_is_asked_for(
    server: Bare,
) -> None:
    headers = [HOST, (b"expect", b"100-continue"), (b"content-length", b"99999999")]
    answer = await server.http("/data", method="POST", headers=headers, body=[])
    assert (answer.status, answer.taken) == (413, 0)


async def test_b050_an_unknown_expectation_is_ignored(server: Bare) -> None:
    answer = await server.http("/c", headers=[HOST, (b"expect", b"200-maybe")])
    assert (answer.status, answer.taken, part()["body"]) == (200, 0, b"")
