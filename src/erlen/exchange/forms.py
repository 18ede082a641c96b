"""Floor 3: the form of a request: text fields and files, read once and kept until its end."""

from collections.abc import Coroutine, Sequence
from copy import copy
from typing import Any, NamedTuple

import anyio

from erlen.exceptions import BadRequestKeyError, UnsupportedMediaType, WireError
from erlen.exchange.body import Body
from erlen.exchange.collecting import Collector
from erlen.exchange.file_work import in_thread
from erlen.exchange.parts import Parts, refusal
from erlen.exchange.settings import Settings
from erlen.exchange.slices import SLICE, Slices
from erlen.exchange.spool import Room
from erlen.exchange.uploads import UploadFile, close_all, let_go
from erlen.wire.forms import MultipartParser, UrlencodedParser, boundary_of, parse_urlencoded
from erlen.wire.multidict import ImmutableMultiDict

_MULTIPART = "multipart/form-data"
_URLENCODED = frozenset({"application/x-www-form-urlencoded", "application/x-url-encoded"})

#: Bytes of an urlencoded body that are parsed on the loop; more is parsed in a thread.
#: SAFETY: 1 MiB of percent signs takes over 100 ms, 16 KiB of them 2 ms.
_INLINE = 16 * 1024

#: The files of a form without any, and the fields of what is no form.
NO_FILES: ImmutableMultiDict[str, Any] = ImmutableMultiDict()


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
        self._data: FormData | None = None
        self._failure: Exception | None = None
        self._is_loading = False
        self._loaded: anyio.Event | None = None

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
        while self._data is None:
            if self._failure is not None:
                raise copy(self._failure)
            if self._is_loading:
                await self._wait_for_other_task()
                continue
            self._is_loading = True
            try:
                self._data = await self._read()
            except Exception as error:
                self._failure = copy(error)  # without the traceback, whose frames hold the bytes
                raise
            finally:
                self._is_loading = False
                if self._loaded is not None:
                    self._loaded.set()
                    self._loaded = None
        return self._data

    async def _wait_for_other_task(self) -> None:
        # PERF: a lock of anyio would cost each form 7 µs.
        if self._loaded is None:
            self._loaded = anyio.Event()
        await self._loaded.wait()

    def parts(self) -> Parts:
        """Return the parts of a multipart body, to be read as they arrive.

        Raises:
            UnsupportedMediaType: The request's type is another.
            BadRequest: It has no boundary, or none that can be.
        """
        if self._mimetype != _MULTIPART:
            raise UnsupportedMediaType(f"{_MULTIPART} is expected.")
        debug = self._settings.debug
        try:
            parser = self._parser(None)
        except WireError as error:
            raise refusal(error, debug=debug) from error
        return Parts(self._body, parser, max_memory=self.max_memory, debug=debug)

    @property
    def is_on_disk(self) -> bool:
        """Whether a file was loaded that is not in memory."""
        return not all(upload.is_in_memory for upload in self._uploads())

    def let_go(self) -> None:
        """Close the files that were loaded and are in memory."""
        let_go(self._uploads())

    def _uploads(self) -> list[UploadFile]:
        assert self._data is not None
        return [upload for _, upload in self._data.files.items(multi=True)]

    async def close(self) -> None:
        """Close the files that were loaded."""
        files = (await self.load()).files
        await close_all(upload for _, upload in files.items(multi=True))

    # --- reading ----------------------------------------------------------------------------------

    def _read(self) -> Coroutine[Any, Any, FormData]:
        if self._mimetype in _URLENCODED:
            return self._read_urlencoded()
        return self._read_multipart() if self._mimetype == _MULTIPART else self._read_nothing()

    async def _read_nothing(self) -> FormData:
        return self._made(NO_FILES)

    async def _read_urlencoded(self) -> FormData:
        try:
            if self._body.is_at_most(_INLINE):
                whole = await self._body.read(cache=False)
                form = parse_urlencoded(whole, max_fields=self.max_parts, max_size=self.max_memory)
            else:
                form = ImmutableMultiDict(await self._read_pairs())
        except WireError as error:
            raise refusal(error, debug=self._settings.debug) from error
        return self._made(form)

    async def _read_pairs(self) -> list[tuple[str, str]]:
        """Return the fields of an urlencoded body that may be long."""
        parser = UrlencodedParser(max_fields=self.max_parts, max_size=self.max_memory)
        waiting = bytearray()
        is_small = True

        def finish() -> list[tuple[str, str]]:
            parser.feed(bytes(waiting))
            return parser.close()

        async for data in Slices(self._body):
            waiting += data
            is_small = is_small and len(waiting) <= _INLINE
            if len(waiting) >= SLICE:
                await in_thread(parser.feed, bytes(waiting))
                waiting.clear()
        return finish() if is_small else await in_thread(finish)

    async def _read_multipart(self) -> FormData:
        settings = self._settings
        collector = Collector(Room(settings.upload_spool_size, settings.upload_spool_total))
        try:
            await collector.read(self._body, self._parser(self.max_memory))
        except WireError as error:
            raise refusal(error, debug=settings.debug) from error
        return self._made(ImmutableMultiDict(collector.fields), collector.uploads)

    def _parser(self, max_memory: int | None) -> MultipartParser:
        return MultipartParser(
            boundary_of(self._params),
            max_parts=self.max_parts,
            max_files=self.max_files,
            max_memory=max_memory,
        )

    def _made(
        self,
        form: ImmutableMultiDict[str, str],
        uploads: Sequence[tuple[str, UploadFile]] = (),
    ) -> FormData:
        if self._settings.debug:
            return FormData(form, ExplainingFiles(uploads, form))
        return FormData(form, ImmutableMultiDict(uploads) if uploads else NO_FILES)


class ExplainingFiles(ImmutableMultiDict[str, UploadFile]):
    """The files of a form in debug mode: a missing one that came as text is explained."""

    __slots__ = ("_form",)

    def __init__(
        self, uploads: Sequence[tuple[str, UploadFile]], form: ImmutableMultiDict[str, str]
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
