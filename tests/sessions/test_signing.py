"""Tokens: what is taken back, what is refused, what is signed and of no use."""

import base64
import hashlib
import hmac
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import (
    BadPayload,
    BadSignature,
    Signer,
    TimestampSigner,
    URLSafeTimedSerializer,
)

from erlen.sessions.seal import RefusedToken, UnusableToken
from erlen.sessions.signing import MAX_TEXT, MAX_TOKEN, SessionSerializer, SessionSigner
from erlen.sessions.tagged import TaggedJSONSerializer
from tests.sessions.exchanges import KEY

OPTIONS: dict[str, Any] = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
NOW = 1_700_000_000


def make(*keys: str, salt: str = "salt") -> SessionSerializer:
    """Return a serializer that signs with the last of *keys*."""
    return SessionSerializer(
        keys or (KEY,), salt=salt, serializer=TaggedJSONSerializer(), signer_kwargs=OPTIONS
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock that is set by its item."""
    hands = [NOW]
    monkeypatch.setattr(SessionSigner, "get_timestamp", lambda _self: hands[0])
    return hands


def signed(payload: bytes, timestamp: bytes | None = None) -> str:
    """Return a token with any payload and timestamp, truly signed."""
    stamp = timestamp if timestamp is not None else (NOW).to_bytes(4, "big")
    value = payload + b"." + base64.urlsafe_b64encode(stamp).rstrip(b"=")
    return make().make_signer().get_signature(value).join([value + b".", b""]).decode()


def encoded(text: bytes) -> bytes:
    return base64.urlsafe_b64encode(text).rstrip(b"=")


# --- what is taken back ---------------------------------------------------------------------------


@given(st.text())
def test_a_text_comes_back(text: str) -> None:
    assert make().unseal(make().seal(text.encode("utf-8", "replace").decode()), 60).is_current


@given(st.dictionaries(st.text(), st.text(max_size=100), max_size=20))
def test_differential_itsdangerous_reads_it_and_is_read(content: dict[str, str]) -> None:
    theirs = URLSafeTimedSerializer(
        [KEY], salt="salt", serializer=TaggedJSONSerializer(), signer_kwargs=OPTIONS
    )
    assert theirs.loads(make().dumps(content)) == content
    assert make().loads(theirs.dumps(content)) == content


@pytest.mark.parametrize(("size", "compressed"), [(100, False), (1000, True)])
def test_only_what_gets_shorter_is_compressed(size: int, compressed: bool) -> None:
    token = make().seal("a" * size)
    assert token.startswith(".") == compressed
    assert make().unseal(token, 60).text == "a" * size


def test_what_does_not_get_shorter_stays() -> None:
    noise = bytes(byte & 0x7F for byte in hashlib.shake_256(b"").digest(256)).decode()
    assert not make().seal(noise).startswith(".")
    assert make().unseal(make().seal(noise), 60).text == noise


def test_a04_the_last_key_signs_and_all_verify() -> None:
    token = make("old", "new").seal("x")
    assert make("new").unseal(token, 60) == ("x", True)
    with pytest.raises(RefusedToken):
        make("old").unseal(token, 60)
    for position, keys in enumerate([("old", "new"), ("old", "older", "new")]):
        assert make(*keys).unseal(make("old").seal("x"), 60) == ("x", False), position


def test_dumps_and_loads_take_a_salt_as_itsdangerous_does() -> None:
    token = make().dumps({"a": 1}, salt="other")
    assert make(salt="other").loads(token) == {"a": 1}
    assert make().loads(make().dumps([1], salt="salt"), salt="salt") == [1]
    with pytest.raises(BadSignature):
        make().loads(token)


# --- what is refused ------------------------------------------------------------------------------

TOKEN = make().seal('{"user":1}')


def swap(token: str) -> str:
    payload, stamp, signature = token.split(".")
    return f"{stamp}.{payload}.{signature}"


def other_spelling(token: str) -> str:
    """Change the bits of the last character that base64 does not use."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


FORGERIES: dict[str, Callable[[str], str]] = {
    "payload": lambda token: f"f{token[1:]}",
    "signature": lambda token: token[:-5] + "AAAAA",
    "swapped": swap,
    "extra dot": lambda token: f".{token}",
    "dot at the end": lambda token: f"{token}.",
    "double dot": lambda token: token.replace(".", "..", 1),
    "padding": lambda token: f"{token}=",
    "unused bits": other_spelling,
    "not base64": lambda token: f"{token[:-3]}!{token[-3:]}",
    "blank": lambda token: f"{token} ",
    "non-ASCII": lambda token: f"{token}ü",
    "no signature": lambda token: token.rpartition(".")[0],
    "empty signature": lambda token: token.rpartition(".")[0] + ".",
    "dots": lambda _token: "...",
    "nothing": lambda _token: "",
    "JSON": lambda _token: '{"user":1}',
    "algorithm none": lambda _token: "eyJhbGciOiJub25lIn0.eyJ1c2VyIjoxfQ.",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_b247_b251_a_forgery_is_refused(forge: Callable[[str], str]) -> None:
    with pytest.raises(RefusedToken, match="signature is not ours"):
        make().unseal(forge(TOKEN), 60)


@pytest.mark.parametrize("length", range(len(TOKEN)))
def test_b247_a_token_that_is_cut_is_refused(length: int) -> None:
    with pytest.raises(RefusedToken):
        make().unseal(TOKEN[:length], 60)


@given(st.text(max_size=200))
def test_b247_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(RefusedToken):
        make().unseal(text.encode("utf-8", "replace").decode(), 60)


def test_b247_junk_is_not_even_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    serializer = make()
    monkeypatch.setattr(serializer, "_signer", None)
    with pytest.raises(RefusedToken, match="60000 characters"):
        serializer.unseal("x" * 60_000, 60)


@pytest.mark.parametrize("value", [b"payload", b"payload.A"], ids=["none", "no base64"])
def test_b247_what_is_signed_without_a_time_is_refused(value: bytes) -> None:
    signature = make().make_signer().get_signature(value)
    with pytest.raises(RefusedToken, match="signature is not ours"):
        make().unseal((value + b"." + signature).decode(), 60)


@given(st.binary())
def test_differential_itsdangerous_signs_the_same(value: bytes) -> None:
    ours = make().make_signer()
    theirs = TimestampSigner([KEY], salt="salt", **OPTIONS)
    assert ours.get_signature(value) == theirs.get_signature(value)
    assert theirs.unsign(ours.sign(value)) == ours.unsign(theirs.sign(value)) == value


@pytest.mark.parametrize("digest", [hashlib.sha1, hashlib.sha256, hashlib.sha512, hashlib.blake2b])
@given(key=st.binary(max_size=200), value=st.binary())
def test_differential_signatures_are_those_of_hmac(digest: Any, key: bytes, value: bytes) -> None:
    """RFC 2104, with keys that are shorter and longer than a block."""
    options: dict[str, Any] = {"key_derivation": "none", "digest_method": digest}
    expected = hmac.digest(key, value, digest)
    assert SessionSigner(key, **options).get_signature(value) == encoded(expected)


@pytest.mark.parametrize(
    "digest",
    [lambda: hashlib.sha256(), "sha256"],  # noqa: PLW0108  # one that takes no argument is meant
    ids=["takes nothing", "name"],
)
@pytest.mark.parametrize("size", [0, 1, 63, 64])
def test_differential_a_digest_is_whatever_hmac_takes(digest: Any, size: int) -> None:
    options: dict[str, Any] = {"key_derivation": "none", "digest_method": digest}
    expected = hmac.new(b"k" * size, b"value", digest).digest()
    assert SessionSigner(b"k" * size, **options).get_signature("value") == encoded(expected)


def test_b247_the_longest_token_is_looked_at() -> None:
    text = "a" * 6105
    token = signed(encoded(text.encode()))
    assert MAX_TOKEN - 4 < len(token) <= MAX_TOKEN
    assert make().unseal(token, time.time()).text == text


@pytest.mark.parametrize(
    "other",
    [make("another key of thirty-two bytes!!"), make(salt="salt2"), make(salt="sal")],
    ids=["b248-key", "b250-salt", "b250-shorter-salt"],
)
def test_b248_b250_another_key_or_salt_is_refused(other: SessionSerializer) -> None:
    with pytest.raises(RefusedToken):
        make().unseal(other.seal("x"), 60)


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        pytest.param(61, "too old", id="b252-expired by a second"),
        pytest.param(60, None, id="b252-just not expired"),
        pytest.param(3600, "too old", id="b252-old"),
        pytest.param(-60, None, id="b252-within the skew of clocks"),
        pytest.param(-61, "in the future", id="b252-beyond it"),
        pytest.param(-3600, "in the future", id="b252-future"),
    ],
)
def test_b252_age_decides(clock: list[int], age: int, reason: str | None) -> None:
    token = make().seal("x")
    clock[0] += age
    if reason is None:
        assert make().unseal(token, 60).text == "x"
    else:
        with pytest.raises(RefusedToken, match=reason):
            make().unseal(token, 60)


def test_b252_a_cookie_of_a_server_whose_clock_is_an_hour_behind_is_valid(clock: list[int]) -> None:
    clock[0] -= 3600
    token = make().seal("x")
    clock[0] += 3600
    assert make().unseal(token, 86400).text == "x"


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param(b"", id="b252-missing"),
        pytest.param(b"\xff" * 8, id="b252-64-bit"),
        pytest.param(b"\x80" + b"\0" * 7, id="b252-negative as int64"),
        pytest.param(b"\xff" * 9, id="b252-too long"),
        pytest.param(b"\0\0\0\xff\xff\xff\xff\xff", id="b252-far away"),
    ],
)
def test_b252_a_timestamp_that_is_none_is_refused(stamp: bytes) -> None:
    with pytest.raises(RefusedToken):
        make().unseal(signed(b"eA", stamp), 60)


def test_b252_a_token_without_a_timestamp_is_refused() -> None:
    plain = Signer(KEY, salt="salt", **OPTIONS).sign(b"eA").decode()
    with pytest.raises(RefusedToken):
        make().unseal(plain, 60)


# --- what is signed and of no use -----------------------------------------------------------------

BOMB = zlib.compress(b"\0" * (1024 * 1024))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"." + encoded(BOMB), "more than 65536 bytes", id="b253-bomb"),
        pytest.param(b"." + encoded(BOMB[:100]), "more than 65536 bytes", id="b253-bomb cut"),
        pytest.param(b".eHh4eA", "not compressed", id="b253-not compressed"),
        pytest.param(b"." + encoded(zlib.compress(b"abc")[:-2]), "not complete", id="b253-cut"),
        pytest.param(encoded(b"\xff\xfe"), "utf-8", id="b253-not UTF-8"),
        pytest.param(b"a", "not base64", id="b253-not base64"),
    ],
)
def test_b253_a_payload_that_is_signed_and_none_of_ours(payload: bytes, reason: str) -> None:
    with pytest.raises(UnusableToken, match=reason):
        make().unseal(signed(payload), time.time())


def test_b253_a_text_of_the_largest_size_is_read() -> None:
    text = "a" * MAX_TEXT
    assert make().unseal(make().seal(text), 60).text == text
    with pytest.raises(UnusableToken):
        make().unseal(make().seal(f"{text}a"), 60)


@pytest.mark.parametrize(
    "payload", [encoded(b"{"), b".eHh4eA", encoded(b"\xff"), b"a", encoded(b"[" * 6000)]
)
def test_b253_loads_says_so_in_the_words_of_itsdangerous(payload: bytes) -> None:
    with pytest.raises(BadPayload, match="no session"):
        make().loads(signed(payload))


def test_importing_erlen_loads_no_signing() -> None:
    code = "import sys, erlen, erlen.sessions; sys.exit('itsdangerous' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
