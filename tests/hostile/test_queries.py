"""Catalogue 2.2: queries."""

import json
from typing import Any

import pytest

from tests.hostile.harness import Bare


async def args(server: Bare, query: bytes, path: str = "/args") -> Any:
    answer = await server.http(path, query_string=query)
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        pytest.param(b"a=%zz&b=%ff", {"a": ["%zz"], "b": ["\ufffd"]}, id="b026"),
        pytest.param(b"a=1;b=2", {"a": ["1;b=2"]}, id="b027"),
        pytest.param(b"&=&=&" * 100, {"": [""] * 200}, id="b028-empty-pairs"),
        pytest.param(b"a=%00", {"a": ["\0"]}, id="b029-nul-is-data"),
        pytest.param(b"a", {"a": [""]}, id="b030-no-value"),
        pytest.param(b"=b", {"": ["b"]}, id="b030-no-name"),
        pytest.param(b"&&", {}, id="b030-nothing"),
        pytest.param(b"a=b=c", {"a": ["b=c"]}, id="b030-second-equals"),
        pytest.param(b"a[]=1&a[0]=2", {"a[]": ["1"], "a[0]": ["2"]}, id="b030-brackets"),
        pytest.param(b"&".join([b"a=%d" % n for n in range(1000)]),
                     {"a": [str(n) for n in range(1000)]}, id="b031-1000-times"),
    ],
)  # fmt: skip
async def test_a_query_is_read_as_browsers_write_it(
    server: Bare, query: bytes, pairs: dict[str, list[str]]
) -> None:
    assert await args(server, query) == pairs


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(b"&".join([b"a=1"] * 1001), id="b028-1001"),
        pytest.param(b"&".join([b"%61=1"] * 1001), id="b028-1001-encoded"),
        pytest.param(b"a=&" * 4000, id="b028-empty-values"),
    ],
)
async def test_b028_too_many_arguments_are_400(server: Bare, query: bytes) -> None:
    assert (await server.http("/args", query_string=query)).status == 400


async def test_b028_many_separators_cost_little(server: Bare) -> None:
    assert await args(server, b"&" * 16_000) == {}


async def test_b028_a_query_of_1_mib_is_414(server: Bare) -> None:
    answer = await server.http("/args", query_string=b"&" * 1024**2)
    assert (answer.status, answer.ran) == (414, [])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("%D9%A3", -1), ("1_0", -1), ("9" * 5000, -1), ("1e3", -1), ("%201%20", -1), ("", -1),
        ("7", 7), ("-7", -7), ("%2B7", 7),
    ],
)  # fmt: skip
async def test_b032_only_plain_digits_convert_to_a_number(
    server: Bare, text: str, number: int
) -> None:
    assert await args(server, b"n=" + text.encode(), "/number") == {"n": number}
