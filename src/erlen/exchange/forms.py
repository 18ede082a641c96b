"""Floor 3: the form of a request: text fields and files, read once and kept until its end."""

from copy import copy
from typing import NamedTuple

import anyio

from erlen.exceptions import BadRequestKeyError, UnsupportedMediaType, WireError
from erlen.exchange.body import Body
from erlen.exchange.file_work import in_thread
from erlen.exchange.parts import Part, Parts, refusal
from erlen.exchange.settings import Settings
from erlen.exchange.slices import SLICE, Slices
from erlen.exchange.spool import Room, Spool
from erlen.exchange.uploads import UploadFile, close_all
from erlen.wire.forms import MultipartParser, UrlencodedParser, boundary_of
from erlen.wire.multidict import ImmutableMultiDict

_MULTIPART = "multipart/form-data"
_URLENCODED = frozenset({"application/x-www-form-urlencoded", "application/x-url-encoded"})

#: Bytes of an urlencoded body that are parsed on the loop; more is parsed in a thread.
#: SAFETY: 1 MiB of percent signs takes over 100 ms, 16 KiB of them 2 ms.
_INLINE = 16 * 1024


class FormData(NamedTuple):
    """What a form brought."""

    fields: ImmutableMultiDict[str, str]
    files: ImmutableMultiDict[str, UploadFile]


class Forms:
    """Reads the form of one request, once, and closes its files at the end.

    Attributes:
        max_memory: Bytes of all text fields together, ``None`` for no limit.
        max_parts: Text fields and files, ``None`` for no limit.
        max_files: Files, ``None`` for no limit.
    """

    def __init__(
        self, body: Body, mimetype: str, params: dict[str, str], settings: Settings
    ) -> None:
        """*mimetype* and *params* are the request's Content-Type; limits come from *settings*."""
        self.max_memory = settings.max_form_memory_size
        self.max_parts = settings.max_form_parts
        self.max_files = settings.max_form_files
        self._body = body
        self._mimetype = mimetype
        self._params = params
        self._settings = settings
        self._lock: anyio.Lock | None = None
        self._data: FormData | None = None
        self._failure: Exception | None = None

    @property
    def is_form(self) -> bool:
        """Whether the request's type is one of those that forms have."""
        return self._mimetype == _MULTIPART or self._mimetype in _URLENCODED

    async def load(self) -> FormData:
        """Return fields and files: the same objects, or the same error, each time.

        A body of another type is left unread and gives none of either.

        Raises:
            BadRequest: The body is not what its type says.
            RequestEntityTooLarge: A limit is passed; the description says which.
            ServiceUnavailable: A large file could not be written to disk.
            RequestTimeout, ClientDisconnected, RuntimeError: As in ``Body.read``.
        """
        if self._data is None:
            if self._lock is None:
                self._lock = anyio.Lock()
            async with self._lock:
                await self._load_once()
        assert self._data is not None
        return self._data

    async def _load_once(self) -> None:
        if self._failure is not None:
            raise copy(self._failure)
        if self._data is not None:
            return
        try:
            if self._mimetype == _MULTIPART:
                self._data = await self._read_multipart()
            elif self._mimetype in _URLENCODED:
                self._data = await self._read_urlencoded()
            else:
                self._data = self._made([], [])
        except Exception as error:
            self._failure = copy(error)  # without the traceback, whose frames hold the bytes
            raise

    def parts(self) -> Parts:
        """Return the parts of a multipart body, to be read as they arrive.

        Raises:
            UnsupportedMediaType: The request's type is another.
            BadRequest: It has no boundary, or none that can be.
        """
        if self._mimetype != _MULTIPART:
            raise UnsupportedMediaType(f"{_MULTIPART} is expected.")
        return self._parts(None)

    async def close(self) -> None:
        """Close the files that were loaded."""
        files = (await self.load()).files
        await close_all(upload for _, upload in files.items(multi=True))

    # --- reading ----------------------------------------------------------------------------------

    async def _read_urlencoded(self) -> FormData:
        parser = UrlencodedParser(max_fields=self.max_parts, max_size=self.max_memory)
        waiting = bytearray()
        is_small = True

        def finish() -> FormData:
            parser.feed(bytes(waiting))
            return self._made(parser.close(), [])

        try:
            async for data in Slices(self._body):
                waiting += data
                is_small = is_small and len(waiting) <= _INLINE
                if len(waiting) >= SLICE:
                    await in_thread(parser.feed, bytes(waiting))
                    waiting.clear()
            return finish() if is_small else await in_thread(finish)
        except WireError as error:
            raise refusal(error, debug=self._settings.debug) from error

    async def _read_multipart(self) -> FormData:
        room = Room(self._settings.upload_spool_size, self._settings.upload_spool_total)
        fields: list[tuple[str, str]] = []
        uploads: list[tuple[str, UploadFile]] = []
        try:
            async for part in self._parts(self.max_memory):
                if part.filename is None:
                    fields.append((part.name, await part.text()))
                else:
                    uploads.append((part.name, await _receive(part, room)))
        except BaseException:
            await close_all(upload for _, upload in uploads)
            raise
        return self._made(fields, uploads)

    def _parts(self, max_memory: int | None) -> Parts:
        debug = self._settings.debug
        try:
            parser = MultipartParser(
                boundary_of(self._params),
                max_parts=self.max_parts,
                max_files=self.max_files,
                max_memory=max_memory,
            )
        except WireError as error:
            raise refusal(error, debug=debug) from error
        return Parts(self._body, parser, max_memory=self.max_memory, debug=debug)

    def _made(
        self, fields: list[tuple[str, str]], uploads: list[tuple[str, UploadFile]]
    ) -> FormData:
        form = ImmutableMultiDict(fields)
        if self._settings.debug:
            return FormData(form, ExplainingFiles(uploads, form))
        return FormData(form, ImmutableMultiDict(uploads))


async def _receive(part: Part, room: Room) -> UploadFile:
    """Read a part that is a file, to its end."""
    spool = Spool(room)
    try:
        async for chunk in part:
            await spool.write(chunk)
        stream = await spool.finish()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await spool.discard()
        raise
    return UploadFile(
        stream,
        part.filename or "",
        part.name,
        headers=part.headers,
        raw_filename=part.raw_filename,
    )


class ExplainingFiles(ImmutableMultiDict[str, UploadFile]):
    """The files of a form in debug mode: a missing one that came as text is explained."""

    __slots__ = ("_form",)

    def __init__(
        self, uploads: list[tuple[str, UploadFile]], form: ImmutableMultiDict[str, str]
    ) -> None:
        """*form* has the text fields."""
        super().__init__(uploads)
        self._form = form

    def __getitem__(self, key: str) -> UploadFile:
        try:
            return super().__getitem__(key)
        except BadRequestKeyError as error:
            if key in self._form:
                error.description = (
                    f"The field {key!r} came as the text {self._form[key][:200]!r}, not as a file. "
                    'Give the form element enctype="multipart/form-data", and this input '
                    'type="file".'
                )
                error.add_note(error.description)
            raise
