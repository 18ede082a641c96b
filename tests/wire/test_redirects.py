"""Targets of redirects: catalogue 2.13, B-171 to B-177."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.wire.redirects import MAX_LENGTH, is_safe_redirect, redirect_uri

#: What a stranger sends to leave the host.
FOREIGN = [
    pytest.param("//evil.com", id="b171-slashes"),
    pytest.param("///evil.com", id="b171-three-slashes"),
    pytest.param("/\\evil.com", id="b171-backslash"),
    pytest.param("\\\\evil.com", id="b171-backslashes"),
    pytest.param("\\/evil.com", id="b171-backslash-slash"),
    pytest.param("/%09/evil.com", id="b171-encoded-tab"),
    pytest.param("/\t/evil.com", id="b171-tab"),
    pytest.param("\t//evil.com", id="b171-leading-tab"),
    pytest.param(" //evil.com", id="b171-space"),
    pytest.param("/%2Fevil.com", id="b171-encoded-slash"),
    pytest.param("/%5cevil.com", id="b171-encoded-backslash"),
    pytest.param("/a\\b", id="b171-backslash-inside"),
    pytest.param("javascript:alert(1)", id="b172-javascript"),
    pytest.param("data:,x", id="b172-data"),
    pytest.param("/\r\nSet-Cookie: a=b", id="b173-crlf"),
    pytest.param("/\n", id="b173-lf"),
    pytest.param("/\0", id="b173-nul"),
    pytest.param("/%00", id="b173-encoded-nul"),
    pytest.param("/a\x85", id="b173-c1"),
    pytest.param("http://good.com@evil.com", id="b174-account"),
    pytest.param("http://good.com.evil.com", id="b174-suffix"),
    pytest.param("http://good.com\\@evil.com", id="b174-backslash"),
    pytest.param("https:evil.com", id="b174-no-slashes"),
    pytest.param("http:/evil.com", id="b174-one-slash"),
    pytest.param("http:\\\\evil.com", id="b174-backslashes"),
    pytest.param("http://example.com/", id="b174-even-this-host"),
    pytest.param("//\u2147vil.com", id="b175-folds"),
    pytest.param("/" + "a" * 100 * 1024, id="b176"),
    pytest.param("/" + "é" * 6000, id="b176-when-encoded"),
    pytest.param("/\ud800", id="surrogate"),
    pytest.param("", id="empty"),
    pytest.param("a", id="relative"),
    pytest.param("?next=/", id="query"),
    pytest.param(None, id="nothing"),
]


@pytest.mark.parametrize("target", FOREIGN)
def test_target_of_a_stranger_that_may_leave_the_host_is_unsafe(target: str | None) -> None:
    assert not is_safe_redirect(target)


@pytest.mark.parametrize(
    "target",
    ["/", "/a/b?c=d&e=%2F%0A#f", "/search/a b", "/ünïcode?q=ä", "/a//b", "/a@b:c", "/?//evil.com",
     "/#//evil.com", "/100%", "/" + "a" * (MAX_LENGTH - 1)],
)  # fmt: skip
def test_path_of_this_host_is_safe(target: str) -> None:
    assert is_safe_redirect(target)
    assert redirect_uri(target).startswith("/")


def test_what_is_no_text_is_unsafe() -> None:
    assert not is_safe_redirect(b"/")  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    "target",
    [
        *[
            pytest.param(target, id=f"b172-{target!a}")
            for target in (
                "javascript:alert(1)", "data:text/html,x", "vbscript:x", "JaVaScRiPt:x",
                "java\nscript:x", "\x01javascript:x", " javascript:x", "java\tscript\r:x",
                "file:///etc/passwd", "ftp://a/", "mailto:a@b", "a:b", "view-source:http://a",
            )
        ],
        pytest.param("http://good.com\\@evil.com", id="b174-backslash"),
        pytest.param("http://a@b@evil.com", id="b174-two-accounts"),
        pytest.param("https:evil.com", id="b174-no-slashes"),
        pytest.param("http:/evil.com", id="b174-one-slash"),
        pytest.param("http:\\\\evil.com", id="b174-backslashes"),
        pytest.param("ht\ntp://evil.com", id="b174-split-scheme"),
        pytest.param(" http://evil.com", id="b174-space"),
        pytest.param("///evil.com", id="b171-three-slashes"),
        pytest.param("http:///x", id="no-host"),
        pytest.param("http://exa mple.com/", id="space-in-the-host"),
        pytest.param("http://ex\tample.com/", id="tab-in-the-host"),
        pytest.param("http://a:99999/", id="port"),
        pytest.param("http://a:80b/", id="port-of-letters"),
        pytest.param("//a\u2100b.com", id="b175-folds-to-a-slash"),
        pytest.param("//a\uff0fb.com", id="b175-folds-to-a-slash-too"),
        pytest.param("//é\\b.com/", id="b175-with-a-backslash"),
        pytest.param("//u:é@b.com/", id="b175-account"),
        pytest.param("//" + "é" * 70 + ".com", id="b175-label-too-long"),
        pytest.param("/" + "a" * 100 * 1024, id="b176"),
        pytest.param("/" + "é" * 6000, id="b176-when-encoded"),
        pytest.param("/\ud800", id="surrogate"),
    ],
)  # fmt: skip
def test_target_that_is_no_place_of_the_web_is_a_value_error(target: str) -> None:
    with pytest.raises(
        ValueError, match=r"(?s)Nobody can be redirected to .*\. [A-Z][^.]+\.$"
    ) as caught:
        redirect_uri(target)
    assert len(str(caught.value)) < 500


def test_target_that_is_no_text_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"is None of type NoneType\. Give it as str"):
        redirect_uri(None)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        pytest.param("/a?b=c&d=%20#e", "/a?b=c&d=%20#e", id="as-it-is"),
        pytest.param("HTTPS://Example.com:8443/", "HTTPS://Example.com:8443/", id="absolute"),
        pytest.param("http://[::1]:8000/", "http://[::1]:8000/", id="ipv6"),
        pytest.param("http://u:p%40@a/", "http://u:p%40@a/", id="account"),
        pytest.param("//evil.com/", "//evil.com/", id="b171-the-developers-choice"),
        pytest.param("../a:b", "../a:b", id="relative"),
        pytest.param("?a=b", "?a=b", id="query"),
        pytest.param("", "", id="empty"),
        pytest.param("/\\evil.com", "/%5Cevil.com", id="b171-backslash"),
        pytest.param("\\\\evil.com", "%5C%5Cevil.com", id="b171-backslashes"),
        pytest.param(" //evil.com", "%20//evil.com", id="b171-space"),
        pytest.param("/\t/evil.com", "/%09/evil.com", id="b171-tab"),
        pytest.param("/a\r\nb: c", "/a%0D%0Ab:%20c", id="b173-crlf"),
        pytest.param("/\n\0", "/%0A%00", id="b173-lf-nul"),
        pytest.param("/ünï?q=ä#é", "/%C3%BCn%C3%AF?q=%C3%A4#%C3%A9", id="b175-path"),
        pytest.param("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC", id="b175-idna"),
        pytest.param("//\u2147vil.com", "//evil.com", id="b175-folds"),
        pytest.param("//a。b", "//a.b", id="b175-dot"),
    ],
)  # fmt: skip
def test_target_of_the_developer_is_made_sound(target: str, uri: str) -> None:
    assert redirect_uri(target) == uri
    assert redirect_uri(uri) == uri


ANY = st.text(st.sampled_from("/\\@:?#.%aé \t\n\0[]") | st.characters(), max_size=12)


@given(ANY | st.tuples(st.sampled_from(["http:", "//", "https://", "/"]), ANY).map("".join))
def test_uri_is_ascii_without_blanks_or_an_error(target: str) -> None:
    try:
        uri = redirect_uri(target)
    except ValueError:
        return
    assert uri.isascii()
    assert uri.isprintable()
    assert not set(uri) & set(' \\"<>')


@given(ANY | st.tuples(st.just("/"), ANY).map("".join))
def test_safe_target_stays_on_the_host_for_every_reader(target: str) -> None:
    if is_safe_redirect(target):
        for form in (target, redirect_uri(target)):
            assert urlsplit(urljoin("https://example.com/login", form))[:2] == (
                "https",
                "example.com",
            )
