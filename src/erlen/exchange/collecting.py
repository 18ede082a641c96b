"""Floor 3: the parts of a multipart body, kept: texts in memory, files where they have room."""

from collections.abc import Iterable

import anyio
from anyio.lowlevel import checkpoint

from erlen.exceptions import WireError
from erlen.exchange.body import Body
from erlen.exchange.parts import TURN, PartHeaders
from erlen.exchange.pile import Pile
from erlen.exchange.slices import Slices
from erlen.exchange.spool import Room, Spool
from erlen.exchange.uploads import UploadFile, close_all
from erlen.wire.forms import PART_END, Event, MultipartParser, PartStart


class Collector:
    """Reads one multipart body to its end.

    Attributes:
        fields: Text fields, in their order.
        uploads: Files, in their order; whoever reads on owns them.
    """

    __slots__ = ("_room", "_spool", "_start", "_text", "fields", "uploads")

    def __init__(self, room: Room) -> None:
        """*room* is the memory that files may take."""
        self._room = room
        self._start: PartStart | None = None  # of the part whose turn it is
        self._text = Pile()
        self._spool: Spool | None = None
        self.fields: list[tuple[str, str]] = []
        self.uploads: list[tuple[str, UploadFile]] = []

    async def read(self, body: Body, parser: MultipartParser) -> None:
        """Read and keep all parts; what fails leaves no file.

        Raises:
            WireError: The body is no form, or a limit of *parser* is passed.
            ServiceUnavailable: A large file could not be written to disk.
            Exception: As in ``Body.read``.
        """
        try:
            async for data in Slices(body):
                # What follows the last part is not looked at, but is read, and counts in the limit.
                if not parser.closed:
                    await self._keep(parser.feed(data))
            parser.close()
        except BaseException:
            await self._discard()
            raise

    async def _discard(self) -> None:
        """Leave no file, whatever is cancelled."""
        try:
            if self._spool is not None:
                with anyio.CancelScope(shield=True):
                    await self._spool.discard()
        finally:  # asyncio's own task.cancel(), which no shield keeps off, may have ended that
            await close_all(upload for _, upload in self.uploads)

    async def _keep(self, events: Iterable[Event]) -> None:
        for number, event in enumerate(events, 1):
            if number % TURN == 0:
                await checkpoint()
            if isinstance(event, PartStart):
                self._start = event
                if event.filename is None:
                    self._text = Pile()
                else:
                    self._spool = Spool(self._room)
            elif event is PART_END:
                await self._end_part()
            elif self._spool is None:
                self._text.add(event)
            elif self._spool.add(event):
                await self._spool.write_out()

    async def _end_part(self) -> None:
        start, spool = self._start, self._spool
        assert start is not None
        if spool is None:
            try:
                self.fields.append((start.name, self._text.take().decode()))
            except UnicodeDecodeError:
                raise WireError("A text field is not UTF-8.") from None
            return
        upload = UploadFile(
            await spool.finish(),
            start.filename or "",
            start.name,
            headers=PartHeaders(start.headers),
            raw_filename=start.raw_filename,
        )
        self._spool = None
        self.uploads.append((start.name, upload))
