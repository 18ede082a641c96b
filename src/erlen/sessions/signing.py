"""Floor 5: signing and verifying session cookies, by itsdangerous; loaded with the first of them.

A token is ``payload.timestamp.signature``, each in URL-safe base64 without padding; a payload that
is compressed has one more dot in front. It is what Flask makes, under another salt and digest.
"""

import zlib
from hmac import compare_digest
from typing import Any

from itsdangerous import (
    BadData,
    BadPayload,
    BadSignature,
    TimestampSigner,
    URLSafeTimedSerializer,
    base64_decode,
    base64_encode,
    want_bytes,
)

from erlen.sessions.seal import RefusedToken, Unsealed, UnusableToken

#: Characters of a token that are looked at. Browsers keep 4,096 bytes of a cookie.
MAX_TOKEN = 8 * 1024
#: Bytes of a session's text. SAFETY: 1 KiB of zlib's output can stand for 1 MiB of zeros.
MAX_TEXT = 64 * 1024
#: Seconds by which the clocks of two servers may differ.
CLOCK_SKEW = 60
#: Bytes from which compression is tried. PERF: a text of 100 bytes loses nothing to speak of, and
#: zlib takes 5 µs to find that out.
COMPRESSED_FROM = 256


class SessionSigner(TimestampSigner):
    """Signs with the last of its keys and verifies with all; keeps what it derived of them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Arguments of itsdangerous' own."""
        super().__init__(*args, **options)
        # PERF: deriving takes 2 µs and would be for each signature.
        self._derived = [self.derive_key(key) for key in reversed(self.secret_keys)]

    def get_signature(self, value: str | bytes) -> bytes:
        """Return the signature of *value* with the current key."""
        return self._sign(self._derived[0], want_bytes(value))

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        """Whether *sig* is the signature of *value* with any of the keys.

        SAFETY: compared as text. Base64 has several texts for the same bytes, and decoders skip
        what they do not know, so that one signature would be valid in many spellings.
        """
        value, sig = want_bytes(value), want_bytes(sig)
        return any(compare_digest(self._sign(key, value), sig) for key in self._derived)

    def is_current(self, token: bytes) -> bool:
        """Whether a token that was verified is signed with the current key."""
        value, _, sig = token.rpartition(self.sep)
        return len(self._derived) == 1 or compare_digest(self.get_signature(value), sig)

    def _sign(self, key: bytes, value: bytes) -> bytes:
        return base64_encode(self.algorithm.get_signature(key, value))


class SessionSerializer(URLSafeTimedSerializer):
    """itsdangerous' serializer whose signer is made once and whose payloads are bounded."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Arguments of itsdangerous' own."""
        super().__init__(*args, signer=SessionSigner, **options)
        self._signer = SessionSigner(self.secret_keys, salt=self.salt, **self.signer_kwargs)

    def seal(self, text: str) -> str:
        """See :meth:`erlen.sessions.seal.Seal.seal`."""
        return self._signer.sign(_pack(text.encode())).decode("ascii")

    def unseal(self, token: str, max_age: float) -> Unsealed:
        """See :meth:`erlen.sessions.seal.Seal.unseal`."""
        if len(token) > MAX_TOKEN:
            raise RefusedToken(f"it has {len(token)} characters")
        signed = token.encode()
        try:
            payload, issued = self._signer.unsign(signed, return_timestamp=True)
        except (BadSignature, ValueError, OverflowError, OSError):
            raise RefusedToken("its signature is not ours") from None
        age = self._signer.get_timestamp() - issued.timestamp()
        if age > max_age:
            raise RefusedToken("it is too old")
        if age < -CLOCK_SKEW:
            raise RefusedToken("it was signed in the future")
        try:
            text = _unpack(payload).decode()
        except ValueError as error:  # UnicodeDecodeError is one
            raise UnusableToken(str(error)) from error
        return Unsealed(text, self._signer.is_current(signed))

    def make_signer(self, salt: str | bytes | None = None) -> TimestampSigner:
        """Return the signer; another one for another salt."""
        if salt is None or want_bytes(salt) == self.salt:
            return self._signer
        return SessionSigner(self.secret_keys, salt=salt, **self.signer_kwargs)

    def dump_payload(self, obj: Any) -> bytes:
        """Return the payload of *obj*."""
        return _pack(want_bytes(self.serializer.dumps(obj)))

    def load_payload(self, payload: bytes, *_args: Any, **_options: Any) -> Any:
        """Return what :meth:`dump_payload` was given; ``BadPayload`` when it gave another."""
        try:
            return self.serializer.loads(_unpack(payload).decode())
        except (ValueError, TypeError, RecursionError) as error:
            raise BadPayload("The payload holds no session.", original_error=error) from error


def _pack(data: bytes) -> bytes:
    if len(data) >= COMPRESSED_FROM:
        compressed = zlib.compress(data)
        if len(compressed) < len(data) - 1:
            return b"." + base64_encode(compressed)
    return base64_encode(data)


def _unpack(payload: bytes) -> bytes:
    """Undo :func:`_pack`; ``ValueError`` for what it did not make, or for too much."""
    try:
        data = base64_decode(payload.removeprefix(b"."))
    except BadData as error:
        raise ValueError("the payload is not base64") from error
    if payload.startswith(b"."):
        inflate = zlib.decompressobj()
        try:
            data = inflate.decompress(data, MAX_TEXT + 1)
        except zlib.error as error:
            raise ValueError("the payload is not compressed as it says") from error
        if not inflate.eof and len(data) <= MAX_TEXT:
            raise ValueError("the payload is not complete")
    if len(data) > MAX_TEXT:
        raise ValueError(f"the payload holds more than {MAX_TEXT} bytes")
    return data
