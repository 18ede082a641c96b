"""Catalogue 2.1: request targets, paths, percent-encoding."""

import json
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from tests.hostile.application import make_app
from tests.hostile.harness import Answer, Bare


async def target(server: Bare, raw: str | bytes, **scope: Any) -> Answer:
    """Ask for a target as it stands on the request line; the path is decoded as servers do."""
    sent = raw if isinstance(raw, bytes) else raw.encode()
    path, _, query = sent.partition(b"?")
    decoded = unquote_to_bytes(path).decode("utf-8", "replace")
    return await server.http(decoded, raw_path=path, query_string=query, **scope)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("/x/a%00b", id="b001-nul"),
        pytest.param("/x/%ff%fe", id="b002-not-utf8"),
        pytest.param("/x/%c0%ae%c0%ae/", id="b003-overlong-dots"),
        pytest.param("/x/%ed%a0%80", id="b004-surrogate"),
        pytest.param("/x/100%", id="b005-lone-percent"),
        pytest.param("/x/%zz", id="b005-no-hex"),
        pytest.param("/x/%u0041", id="b005-u"),
        pytest.param("/x/%2", id="b005-one-digit"),
        pytest.param("/x/a%0aINJECT", id="b007-newline"),
        pytest.param("/x/a%0d", id="b007-return"),
        pytest.param("/x/a%09", id="b007-tab"),
        pytest.param("/x/a%1b[31m", id="b007-escape"),
        pytest.param("/x/a%7f", id="b007-delete"),
        pytest.param("/x/a%c2%85", id="b007-c1"),
        pytest.param("/x/a%0a", id="b022-trailing-newline"),
        pytest.param("example.com:443", id="b015-connect"),
        pytest.param("foo", id="b015-no-slash"),
    ],
)
async def test_a_malformed_target_is_400_before_the_view(server: Bare, raw: str) -> None:
    answer = await target(server, raw)
    assert (answer.status, answer.ran) == (400, [])


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b"/x/\xc3\xa9", "é", id="b006-raw-utf8"),
        pytest.param(b"/x/%e2%80%a8", "\u2028", id="b007-line-separator"),
        pytest.param(b"/x/%e2%80%ae", "\u202e", id="b007-bidi"),
        pytest.param(b"/x/e%cc%81", "e\u0301", id="b022-decomposed"),
        pytest.param(b"/x/%c3%a9", "é", id="b022-composed"),
        pytest.param(b"/x/a.", "a.", id="b022-dot"),
        pytest.param(b"/x/a%20", "a ", id="b022-space"),
        pytest.param(b"/x/A", "A", id="b022-case"),
        pytest.param(b"/x/a;jsessionid=1", "a;jsessionid=1", id="b023-matrix"),
        pytest.param(b"/x/..%5cc", "..\\c", id="b011-encoded-backslash"),
        pytest.param(b"/x/..\\c", "..\\c", id="b011-backslash"),
        pytest.param(b"/x/..", "..", id="b008-dots-are-data"),
        pytest.param(b"/p/../c", "../c", id="b008-path"),
        pytest.param(b"/p/%2e%2e/c", "../c", id="b008-encoded"),
        pytest.param(b"/p/.%2e/c", "../c", id="b008-half-encoded"),
        pytest.param(b"/p/a%2Fb", "a/b", id="b010-path"),
        pytest.param(b"/p/x\\..\\c", "x\\..\\c", id="b011-path"),
    ],
)
async def test_a_sound_target_reaches_the_view_as_it_is(
    server: Bare, raw: bytes, value: str
) -> None:
    answer = await target(server, raw)
    assert (answer.status, json.loads(answer.body)["value"]) == (200, value)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("/x/../c", id="b008"),
        pytest.param("/x/%2e%2e/c", id="b008-encoded"),
        pytest.param("/x/.%2e/c", id="b008-half-encoded"),
        pytest.param("/./c", id="b008-dot"),
        pytest.param("/x/a%2Fb", id="b010-string"),
        pytest.param("/x/y%2Fz", id="b010-static"),
        pytest.param("/x\\..\\c", id="b011"),
        pytest.param("/X/a", id="b022-case"),
        pytest.param("/int/" + "9" * 5000, id="b018-5000-digits"),
        pytest.param("/int/%d9%a3", id="b018-arabic"),
        pytest.param("/int/%c2%b2", id="b018-superscript"),
        pytest.param("/int/1_0", id="b018-underscore"),
        pytest.param("/int/+1", id="b018-plus"),
        pytest.param("/int/-1", id="b018-minus"),
        pytest.param("/int/%201", id="b018-space"),
        pytest.param("/int/0x1", id="b018-hex"),
        pytest.param("/int/1e3", id="b018-exponent"),
        pytest.param("/float/nan", id="b019-nan"),
        pytest.param("/float/inf", id="b019-inf"),
        pytest.param("/float/1e999", id="b019-exponent"),
        pytest.param("/float/.5", id="b019-no-whole"),
        pytest.param("/float/1.", id="b019-no-fraction"),
        pytest.param("/float/" + "9" * 400 + ".0", id="b019-400-digits"),
        pytest.param("/uuid/%7b12345678-1234-5678-1234-567812345678%7d", id="b020-braces"),
        pytest.param("/uuid/urn:uuid:12345678-1234-5678-1234-567812345678", id="b020-urn"),
        pytest.param("/uuid/" + "a" * 10_000, id="b020-10kB"),
        pytest.param("*", id="b012-asterisk"),
    ],
)
async def test_a_target_that_no_rule_means_is_404(server: Bare, raw: str) -> None:
    answer = await target(server, raw)
    assert (answer.status, answer.ran) == (404, [])
    assert b"location" not in answer.headers


async def test_b012_options_of_everything_runs_no_view(server: Bare) -> None:
    answer = await server.http("*", method="OPTIONS")
    assert answer.status in {200, 204, 404}
    assert answer.ran == []


@pytest.mark.parametrize(
    ("raw", "location"),
    [
        pytest.param("//x//y", b"/x/y", id="b009"),
        pytest.param("//x//y?q=%41", b"/x/y?q=%41", id="b009-query"),
        pytest.param("//evil.com//x", None, id="b009-nowhere"),
        pytest.param("///", None, id="b009-root"),
    ],
)
async def test_b009_doubled_slashes_are_merged_by_a_redirect_within_the_host(
    server: Bare, raw: str, location: bytes | None
) -> None:
    answer = await target(server, raw)
    assert answer.ran == []
    assert answer.status == (404 if location is None else 308)
    assert answer.headers.get(b"location") == location


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"http://example.com/host", 200),
        (b"http://EXAMPLE.com:80/host", 200),
        (b"http://evil.com/host", 400),
        (b"http://user@example.com/host", 400),
    ],
)
async def test_b013_an_absolute_target_must_name_the_host(
    server: Bare, raw: bytes, status: int
) -> None:
    answer = await server.http("/host", raw_path=raw)
    assert (answer.status, bool(answer.ran)) == (status, status == 200)


@pytest.mark.parametrize(
    ("path", "raw"), [("", b"http://example.com"), ("", b""), ("", None)], ids=str
)
async def test_b014_an_absolute_target_without_a_path_is_the_root(
    server: Bare, path: str, raw: bytes | None
) -> None:
    assert (await server.http(path, raw_path=raw)).status == 404


async def test_b016_a_target_of_100_kib_is_414_and_not_logged(server: Bare) -> None:
    answer = await target(server, "/x/" + "a" * 102_400)
    assert (answer.status, answer.ran) == (414, [])
    assert all(len(record.getMessage()) < 300 for record in answer.log)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param("/a" * 20_000, 414, id="b017-20000-segments"),
        pytest.param("%2F" * 20_000, 414, id="b017-20000-slashes"),
        pytest.param("/a" * 8_000, 404, id="b017-8000-segments"),
        pytest.param("/p" + "%2F" * 5_000, 404, id="b017-5000-slashes"),
        pytest.param("/p" + "/a" * 8_000, 200, id="b017-8000-segments-of-a-path"),
    ],
)
async def test_b017_many_segments_are_cheap(server: Bare, raw: str, status: int) -> None:
    assert (await target(server, raw)).status == status


@pytest.mark.parametrize("n", ["0", "7", "9" * 18])
async def test_b018_a_plain_number_is_a_number(server: Bare, n: str) -> None:
    assert json.loads((await target(server, f"/int/{n}")).body) == {"n": int(n)}


async def test_b020_a_uuid_is_the_canonical_text(server: Bare) -> None:
    answer = await target(server, "/uuid/12345678-1234-5678-1234-567812345678")
    assert answer.status == 200


@pytest.mark.parametrize("raw", ["/x/%3f%23%25%5c%20", "/x/a%2520b", "/x/%e2%80%ae%c3%a9"])
async def test_b021_the_url_of_a_request_leads_back_to_it(server: Bare, raw: str) -> None:
    first = json.loads((await target(server, raw)).body)
    again = json.loads((await target(server, first["url"].removeprefix("http://example.com"))).body)
    assert first == again


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        pytest.param({"raw_path": None}, 200, id="b024-none"),
        pytest.param({"raw_path": b"/x/b"}, 400, id="b024-other"),
        pytest.param({"raw_path": b"/x/%61"}, 200, id="b024-encoded"),
    ],
)
async def test_b024_the_raw_path_must_mean_the_path(server: Bare, scope: Any, status: int) -> None:
    answer = await server.http("/x/a", **scope)
    assert (answer.status, bool(answer.ran)) == (status, status == 200)


async def test_b024_a_raw_path_of_text_is_an_error_of_the_server(server: Bare) -> None:
    with pytest.raises(TypeError, match="report this to the makers of the server"):
        await server.http("/x/a", raw_path="/x/a")
    assert server.ran == []
    assert await server.is_well()


@pytest.mark.parametrize(
    ("root", "path", "status"),
    [
        pytest.param("/mnt", "/mnt/x/a", 200, id="b025-below"),
        pytest.param("/mnt/", "/mnt/x/a", 200, id="b025-trailing-slash"),
        pytest.param("/", "/x/a", 200, id="b025-slash"),
        pytest.param("/mnt", "/mnt", 404, id="b025-equal"),
        pytest.param("/mnt", "/mntx/a", 404, id="b025-no-boundary"),
        pytest.param("/mnt", "/x/a", 404, id="b025-not-below"),
    ],
)
async def test_b025_the_root_path_is_stripped_at_a_boundary_only(
    root: str, path: str, status: int
) -> None:
    app = make_app()

    @app.view("/link/<value>")
    async def link(value: str) -> str:
        return app.url_for("segment", value=value)

    server = Bare(app, app.ran)
    answer = await server.http(path, root_path=root)
    assert (answer.status, bool(answer.ran)) == (status, status == 200)
    linked = await server.http(f"{root.rstrip('/')}/link/a", root_path=root)
    assert linked.body == f"{root.rstrip('/')}/x/a".encode()
