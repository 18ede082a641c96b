"""Catalogue 2.6: JSON bodies, and JSON that the application makes."""

import json
from typing import Any

import pytest

from erlen import jsonify
from tests.hostile.application import make_app
from tests.hostile.harness import HOST, Bare

JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000, id="b083-open"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="b083-closed"),
        pytest.param(b'{"a":' * 100_000, id="b083-objects"),
        pytest.param(b"[" * 129 + b"]" * 129, id="b084-129-deep"),
        pytest.param(b'{"a":NaN}', id="b085-nan"),
        pytest.param(b"[Infinity]", id="b085-infinity"),
        pytest.param(b"[-Infinity]", id="b085-minus-infinity"),
        pytest.param(b"[1e400]", id="b086"),
        pytest.param(b"[-1e400]", id="b086-minus"),
        pytest.param(b"9" * 5000, id="b087"),
        pytest.param(b'"\xff"', id="b089-not-utf8"),
        pytest.param('["a"]'.encode("utf-16"), id="b089-utf-16"),
        pytest.param('["a"]'.encode("utf-32"), id="b089-utf-32"),
        pytest.param(b"\xef\xbb\xbf[1]", id="b090-bom"),
        pytest.param(b'"\\ud800"', id="b091"),
        pytest.param(b"", id="b092-empty"),
        pytest.param(b"  \n", id="b092-blank"),
        pytest.param(b"{} x", id="b092-trailing-text"),
        pytest.param(b"//c\n[1]", id="b092-comment"),
        pytest.param(b"[1,]", id="b092-trailing-comma"),
        pytest.param(b"{'a': 1}", id="b092-single-quotes"),
    ],
)
@pytest.mark.parametrize("path", ["/json", "/json/forced"])
async def test_what_is_not_json_is_400(server: Bare, body: bytes, path: str) -> None:
    answer = await server.http(path, method="POST", headers=[HOST, JSON], body=body)
    assert answer.status == 400
    assert b"not valid JSON" in answer.body


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b"[" * 128 + b"]" * 128, "[" * 40, id="b084-128-deep"),
        pytest.param(b'{"a":1,"a":2}', "{'a': 2}", id="b088-the-last-of-two-keys"),
        pytest.param(b" null ", "None", id="null"),
        pytest.param(b'"\\ud83d\\ude00"', "'\U0001f600'", id="b091-pair"),
        pytest.param(b"[" + b"1," * 400_000 + b"1]", "[" + "1, " * 13, id="b094-800-kB"),
    ],
)
async def test_what_is_json_is_its_value(server: Bare, body: bytes, value: str) -> None:
    answer = await server.http("/json", method="POST", headers=[HOST, JSON], body=body)
    assert (answer.status, json.loads(answer.body)["value"]) == (200, value)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        pytest.param(None, 415, id="b093-missing"),
        pytest.param(b"text/plain", 415, id="b093-text"),
        pytest.param(b"application/x-www-form-urlencoded", 415, id="b093-form"),
        pytest.param(b"application/json;charset=latin-1", 415, id="b093-latin-1"),
        pytest.param(b"application/json;charset=utf-7", 415, id="b089-utf-7"),
        pytest.param(b"application/vnd.api+json", 200, id="b093-suffix"),
        pytest.param(b'APPLICATION/JSON ; charset="UTF-8"', 200, id="b093-upper-case"),
    ],
)
async def test_b093_only_json_is_read_unless_forced(
    server: Bare, kind: bytes | None, status: int
) -> None:
    headers = [HOST] if kind is None else [HOST, (b"content-type", kind)]
    answer = await server.http("/json", method="POST", headers=headers, body=b"[1]")
    assert answer.status == status
    forced = await server.http("/json/forced", method="POST", headers=headers, body=b"[1]")
    assert forced.status == 200


def circle() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> Any:
    value: list[Any] = []
    for _ in range(129):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), circle(), deep(), "\ud800", object()],
    ids=["nan", "inf", "circle", "deep", "surrogate", "object"],
)  # fmt: skip
async def test_a_value_without_a_json_form_is_one_500(value: Any) -> None:
    app = make_app()

    @app.view("/made")
    async def made() -> Any:
        return jsonify(value)

    @app.view("/returned")
    async def returned() -> Any:
        return {"value": value}

    server = Bare(app, app.ran)
    for path in ("/made", "/returned"):
        answer = await server.http(path)
        assert (answer.status, len(answer.log)) == (500, 1)
        assert answer.log[0].exc_info
