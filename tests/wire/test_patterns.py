"""Regular expressions that are compiled when they are first used."""

import re

import pytest

from erlen.wire.patterns import late


@pytest.mark.parametrize("use", ["fullmatch", "match", "search"])
def test_it_matches_as_the_compiled_one_does(use: str) -> None:
    pattern = late("(a)b", re.IGNORECASE)
    for _ in range(2):  # before it is compiled, and after
        found = getattr(pattern, use)("AB")
        assert found.groups() == ("A",)
        assert getattr(pattern, use)("ba") is None


def test_it_replaces_and_splits_as_the_compiled_one_does() -> None:
    pattern = late(rb",+")
    assert pattern.sub(b";", b"a,,b,c") == b"a;b;c"
    assert pattern.split(b"a,,b,c") == [b"a", b"b", b"c"]
    assert [found.span() for found in pattern.finditer(b"a,,b")] == [(1, 3)]


def test_it_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = late("a")
    assert pattern.search("a")
    monkeypatch.setattr(re, "compile", None)
    assert pattern.search("ba")
    assert pattern.sub("b", "a") == "b"


def test_what_it_was_made_of_can_be_read() -> None:
    pattern = late("a", re.ASCII)
    assert (pattern.pattern, pattern.flags) == ("a", re.ASCII)


def test_a_malformed_one_is_told_by_its_first_use() -> None:
    with pytest.raises(re.error):
        late("(").search("a")
