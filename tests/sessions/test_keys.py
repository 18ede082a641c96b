"""Whether anybody could guess the keys."""

from typing import Any

import pytest

from erlen.exceptions import SetupError
from erlen.sessions import check_secret_key
from erlen.sessions.keys import signing_keys

GOOD = "0123456789abcdef0123456789abcdef"


def config(key: Any, fallbacks: Any = None, *, testing: bool = False) -> dict[str, Any]:
    return {"SECRET_KEY": key, "SECRET_KEY_FALLBACKS": fallbacks, "TESTING": testing}


@pytest.mark.parametrize(
    ("key", "fallbacks", "expected"),
    [
        (None, None, ()),
        ("", ["old"], ()),
        ("new", None, ("new",)),
        (b"new", ["old", b"older"], ("old", b"older", b"new")),
    ],
)
def test_a04_the_secret_key_comes_last(key: Any, fallbacks: Any, expected: Any) -> None:
    assert signing_keys(config(key, fallbacks)) == expected


@pytest.mark.parametrize("key", [None, "", GOOD, GOOD.encode(), b"\xff" * 16])
def test_b258_a_good_key_or_none_is_no_reason_to_warn(key: Any) -> None:
    assert check_secret_key(config(key, [GOOD]), False) == []


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("x" * 15, "has 15 bytes"),
        (b"\xff" * 15, "has 15 bytes"),
        ("dev", "is a key of documentations"),
        (b"secret", "is a key of documentations"),
        ("ChangeMe", "is a key of documentations"),
        (b'_5#y2L"F4Q8z\n\xec]/', "is a key of documentations"),
        ("192b9bdd22ab9ed4d12e236c78afcd9a393ec15f71bbf5dc987d54727823bcbf", "is a key of doc"),
    ],
)
def test_b258_a_key_that_can_be_guessed_is_told_and_not_shown(key: Any, found: str) -> None:
    [warning] = check_secret_key(config(key), False)
    assert warning.startswith(f"SECRET_KEY {found}")
    assert "Set one of 32 random bytes" in warning
    assert repr(key) not in warning


def test_b258_each_key_is_looked_at() -> None:
    warnings = check_secret_key(config("short", [GOOD, "dev"]), False)
    assert [warning.split()[0] for warning in warnings] == ["SECRET_KEY", "SECRET_KEY_FALLBACKS"]


@pytest.mark.parametrize(("debug", "testing"), [(True, False), (False, True)])
def test_b258_debug_mode_and_tests_may_have_any_key(
    debug: bool, testing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERLEN_ENV", "production")
    assert check_secret_key(config("dev", testing=testing), debug) == []


def test_b258_production_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLEN_ENV", "production")
    with pytest.raises(SetupError, match="SECRET_KEY has 5 bytes"):
        check_secret_key(config("short"), False)
    assert check_secret_key(config(GOOD), False) == []
