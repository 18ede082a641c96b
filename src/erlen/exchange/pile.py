"""Floor 3: bytes that come in chunks of any size, kept until they are wanted as one."""

#: Bytes below which chunks are put together.
SMALL = 1024


class Pile:
    """Bytes that are collected, chunk by chunk, and copied once.

    Attributes:
        chunks: In their order.
        size: Bytes of all of them.
    """

    __slots__ = ("chunks", "size")

    def __init__(self) -> None:
        """There is nothing yet."""
        self.chunks: list[bytes | bytearray] = []
        self.size = 0

    def add(self, data: bytes) -> None:
        """Append *data*."""
        if not data:  # a body's last message, say; with it, one large chunk would be copied
            return
        self.size += len(data)
        # SAFETY: chunks of two bytes would cost 25 times their size as objects of their own.
        if len(data) >= SMALL:
            self.chunks.append(data)
        elif self.chunks and type(self.chunks[-1]) is bytearray:
            self.chunks[-1] += data
        else:
            self.chunks.append(bytearray(data))

    def take(self) -> bytes:
        """Return all bytes."""
        return bytes(self.chunks[0]) if len(self.chunks) == 1 else b"".join(self.chunks)
