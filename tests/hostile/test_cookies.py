"""Catalogue 2.5: cookies of a client."""

import json
from typing import Any

import pytest

from tests.hostile.harness import HOST, Bare


async def cookies(server: Bare, *fields: bytes) -> Any:
    answer = await server.http("/cookies", headers=[HOST, *((b"cookie", each) for each in fields)])
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param([b'a=1; =x; b; c="q\\"uo"; d=%00; e=]f=1'],
                     {"a": ["1"], "c": ['q"uo'], "d": ["%00"], "e": ["]f=1"]}, id="b073"),
        pytest.param([b"=__Host-a=bad"], {}, id="b074-nameless"),
        pytest.param([b" __Host-a=x"], {}, id="b074-space"),
        pytest.param([b"__host-a=x"], {"__host-a": ["x"]}, id="b074-case"),
        pytest.param([b"a=1; a=2"], {"a": ["1", "2"]}, id="b075"),
        pytest.param([b"a=1", b"b=2"], {"a": ["1"], "b": ["2"]}, id="b076"),
        pytest.param([b"$Version=1; $Path=/; a=1"],
                     {"$Version": ["1"], "$Path": ["/"], "a": ["1"]}, id="b079"),
        pytest.param([b"a=%41%zz"], {"a": ["%41%zz"]}, id="b080"),
        pytest.param([b"__proto__=1; class=2"], {"__proto__": ["1"], "class": ["2"]}, id="b081"),
        pytest.param([b"a=; b=x y; c=1,2; d=e=f"],
                     {"a": [""], "b": ["x y"], "c": ["1,2"], "d": ["e=f"]}, id="b082"),
        pytest.param([b""], {}, id="nothing"),
        pytest.param([b";;; ;"], {}, id="only-separators"),
    ],
)  # fmt: skip
async def test_a_cookie_field_is_read_as_browsers_write_it(
    server: Bare, fields: list[bytes], found: dict[str, list[str]]
) -> None:
    assert await cookies(server, *fields) == found


async def test_b077_bytes_beyond_ascii_never_crash(server: Bare) -> None:
    assert set(await cookies(server, b"a=\x80\xff; b=1")) >= {"b"}


async def test_b077_control_characters_are_400(server: Bare) -> None:
    assert (await server.http("/cookies", headers=[HOST, (b"cookie", b"a=\x01")])).status == 400


@pytest.mark.parametrize("count", [300, 301, 3000])
async def test_b077_at_most_300_cookies_are_read(server: Bare, count: int) -> None:
    field = b"; ".join(b"a%d=1" % number for number in range(count))
    answer = await server.http("/cookies", headers=[HOST, (b"cookie", field)])
    assert answer.status == (200 if count == 300 else 431)


async def test_b077_a_value_of_64_kib_is_over_the_limit_of_the_section(server: Bare) -> None:
    answer = await server.http("/cookies", headers=[HOST, (b"cookie", b"a=" + b"x" * 65_536)])
    assert (answer.status, answer.ran) == (431, [])


async def test_b078_many_escaped_quotes_cost_little(server: Bare) -> None:
    assert len(await cookies(server, b'a="' + b'\\"' * 20_000)) <= 1
