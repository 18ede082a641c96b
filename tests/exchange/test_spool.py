"""A file while it arrives: what waits in memory, and how it gets to disk."""

from erlen.exchange.spool import BATCH, Room, Spool


async def test_what_waits_beyond_two_batches_is_written_as_it_came() -> None:
    spool = Spool(Room(16 * BATCH, 16 * BATCH))
    for _ in range(16):
        assert not spool.add(b"x" * BATCH)
    assert spool.add(b"y")
    with await spool.finish() as file:
        assert file.read() == b"x" * BATCH * 16 + b"y"
