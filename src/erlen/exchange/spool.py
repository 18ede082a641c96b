"""Floor 3: the bytes of one uploaded file while they arrive: in memory first, then on disk."""

import contextlib
import logging
from io import BytesIO
from threading import Lock
from typing import BinaryIO

import anyio

from erlen.exceptions import ServiceUnavailable
from erlen.exchange.file_work import in_thread
from erlen.exchange.pile import Pile

#: Bytes that are collected before a thread writes them.
#: PERF: 100 MiB take 75 ms with one thread hop for each MiB, 161 ms with one for each 64 KiB.
BATCH = 1024 * 1024

_logger = logging.getLogger("erlen")


class Room:
    """The memory that the files of one request may take.

    Attributes:
        each: Bytes of one file.
        left: Bytes of all the files to come.
    """

    __slots__ = ("each", "left")

    def __init__(self, each: int, total: int) -> None:
        """*total* bytes are left."""
        self.each = each
        self.left = total

    def holds(self, size: int) -> bool:
        """Whether a file of *size* bytes may stay in memory."""
        return size <= self.each and size <= self.left


class Spool:
    """Where one file is written to. :meth:`finish` gives it away; else :meth:`discard` ends it.

    On disk it is an anonymous temporary file with the mode 0600: nobody else can open it, and
    nothing is left of it whatever happens to the process.

    Attributes:
        size: Bytes so far.
    """

    __slots__ = ("_discarded", "_file", "_lock", "_on_disk", "_room", "_waiting", "size")

    def __init__(self, room: Room) -> None:
        """The file is in memory as long as *room* holds it."""
        self._room = room
        self._waiting = Pile()
        self._on_disk = False
        self._file: BinaryIO | None = None
        self._discarded = False
        # SAFETY: asyncio's own task.cancel() goes on while the thread still writes. Without the
        # lock the file could be closed under it, or be made after it was discarded.
        self._lock = Lock()
        self.size = 0

    def add(self, data: bytes) -> bool:
        """Append *data*; return whether :meth:`write_out` must be awaited before more comes."""
        self._waiting.add(data)
        self.size += len(data)
        self._on_disk = self._on_disk or not self._room.holds(self.size)
        return self._on_disk and self._waiting.size >= BATCH

    async def finish(self) -> BinaryIO:
        """Return the file, at its start: a ``BytesIO`` or a temporary file. Errors as below."""
        if not self._on_disk:
            self._room.left -= self.size
            return BytesIO(self._waiting.take())
        await self.write_out(last=True)
        assert self._file is not None
        return self._file

    async def discard(self) -> None:
        """Forget everything that was written."""
        self._waiting = Pile()
        if self._on_disk:
            try:
                await in_thread(self._close)
            except anyio.get_cancelled_exc_class():
                self._close()  # asyncio's own task.cancel(), which no shield keeps off
                raise

    async def write_out(self, *, last: bool = False) -> None:
        """Write what is waiting to disk.

        Raises:
            ServiceUnavailable: The disk is full or cannot be written; one log record says so.
        """
        try:
            await in_thread(self._append, last)
        except OSError as error:
            _logger.error(  # noqa: TRY400  # the sentence says it all
                "An uploaded file could not be written to the temporary directory: %s. "
                "Make room there, or let the variable TMPDIR name another directory.",
                error,
            )
            raise ServiceUnavailable from error

    def _append(self, last: bool) -> None:
        # SAFETY: the bytes are no argument, so that no traceback holds them: on a full disk every
        # upload would otherwise leave a batch in memory until the next collection.
        with self._lock:
            if self._discarded:
                return
            if self._file is None:
                from tempfile import TemporaryFile

                self._file = TemporaryFile()  # noqa: SIM115  # its owner closes it
            # PERF: 1 MiB is written in 110 µs as one, its 64 KiB chunks in 250: pages stay whole.
            # With a large UPLOAD_SPOOL_SIZE so much may wait that it must not be there twice.
            if self._waiting.size <= 2 * BATCH:
                self._file.write(self._waiting.take())
            else:
                self._file.writelines(self._waiting.chunks)
            self._waiting = Pile()
            if last:
                self._file.seek(0)  # flushes

    def _close(self) -> None:
        with self._lock:
            self._discarded = True
            if self._file is not None:
                # What a full disk did not take is tried again by close(), which ends it anyway.
                with contextlib.suppress(OSError):
                    self._file.close()
