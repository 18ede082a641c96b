"""Secrets that no name of a variable gives away: B-338."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.debugger.veil import Veil

KEY = "it's \\ a key"


@pytest.mark.parametrize(
    ("config", "text", "told"),
    [
        ({"SECRET_KEY": KEY}, f"before {KEY} after", "before *** after"),
        ({"SECRET_KEY": KEY}, f"<Signer {KEY!r}>", '<Signer "***">'),
        ({"SECRET_KEY": b"\x00 binary key"}, repr(b"\x00 binary key"), "b'***'"),
        ({"SECRET_KEY_FALLBACKS": ["older key", KEY]}, "older key", "***"),
        ({"DB_PASSWORD": "hunter22", "SECRET_KEY": "hunter222"}, "hunter222", "***"),
        ({"SECRET_KEY": "dev"}, "a device", "a device"),  # too short to be looked for
        ({"SECRET_KEY": None, "NAME": "a long name"}, "a long name", "a long name"),
        ({}, "postgres://shop:hunter2@db/shop", "postgres://shop:***@db/shop"),
        ({}, "http://localhost:5000/a@b", "http://localhost:5000/a@b"),
        ({}, "Settings(password='hunter2', debug=True)", "Settings(password='***', debug=True)"),
        ({}, '{"api_key": "k", "a": "b"}', '{"api_key": \'***\', "a": "b"}'),
        (
            {},
            'token: str = "x" if secret == "y" else ""',
            'token: str = "x" if secret == "y" else ""',
        ),
    ],
)
def test_b338_secrets_are_masked(config: dict[str, Any], text: str, told: str) -> None:
    assert Veil(config)(text) == told


@given(st.text())
def test_any_text_passes(text: str) -> None:
    assert isinstance(Veil()(text), str)


def test_long_texts_take_no_long_time() -> None:
    veil = Veil({"SECRET_KEY": "0123456789"})
    for hostile in ("password" * 40_000, "://" * 80_000, 'token="' * 40_000, "password: " * 40_000):
        veil(hostile)
