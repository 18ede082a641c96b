"""Chunks of a body, and their bytes."""

from typing import Any

import pytest

from erlen.exchange.chunks import encode_chunk


@pytest.mark.parametrize(
    ("chunk", "data"),
    [("é", b"\xc3\xa9"), (b"a", b"a"), (bytearray(b"a"), b"a"), (memoryview(b"a"), b"a")],
)
def test_a_chunk_is_text_or_bytes(chunk: Any, data: bytes) -> None:
    encoded = encode_chunk(chunk)
    assert (encoded, type(encoded)) == (data, bytes)


def test_anything_else_is_the_developers_mistake() -> None:
    with pytest.raises(TypeError, match=r"gave 5 of type int\. Give str or bytes"):
        encode_chunk(5)
