"""Floor 3: how a response obeys the conditions and the ranges that its request asks for."""

from typing import Self

from erlen.exchange.byteranges import Piece, Selection, make_boundary, select_parts
from erlen.exchange.connection import Connection
from erlen.exchange.response_body import ResponseBody
from erlen.exchange.sources import SourceStream
from erlen.wire.conditional import FAILED, NOT_MODIFIED, decide, generate_etag
from erlen.wire.headers import Headers, RequestHeaders
from erlen.wire.ranges import parse_if_range_header, parse_range_header, resolve

#: Fields of a request on which its answer depends.
_CONDITIONS = frozenset(
    {
        "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
        "range",
    }
)  # fmt: skip


class ResponseConditions(ResponseBody):
    """Entity tags, 304, 412, 206 and 416."""

    _code: int
    _headers: Headers | None = None
    _reason: str | None = None

    @property
    def _fields(self) -> Headers:
        """The header fields to look at: with no copy of those that many responses have."""
        return self.headers if self._headers is None else self._headers

    def _set_code(self, code: int) -> None:
        self._code = code
        self._reason = None

    def add_etag(self, overwrite: bool = False, weak: bool = False) -> None:
        """Set an ETag made of the body, unless there is one.

        Raises:
            RuntimeError: The body is streamed.
        """
        if overwrite or "etag" not in self.headers:
            self.set_etag(generate_etag(self.get_data()), weak)

    def make_conditional(
        self,
        request: Connection,
        accept_ranges: bool = False,
        complete_length: int | None = None,  # noqa: ARG002  # Flask's signature
    ) -> Self:
        """Obey the request's conditions: 304, 412 or, with *accept_ranges*, 206 and 416.

        Only a response with status 200 has conditions. For a method that changes something they
        are of use before the change: call this on a response that tells the present state, and
        return it when its status has become 412.

        Args:
            request: Whose ``If-…`` and ``Range`` fields decide.
            accept_ranges: Serve byte ranges of a body that is known or a source. A body with a
                Content-Encoding is served whole.
            complete_length: As in Flask; ignored, because the body itself tells its length.

        Raises:
            RequestedRangeNotSatisfiable: No byte of the asked ranges exists. The response is then
                not sent: close what it was made of, for example by ``await response.close()``.

        Source: RFC 9110 sections 13.2 and 14.2.
        """
        self._obey(request.method, request.headers, accept_ranges, request)
        return self

    def _obey(
        self,
        method: str,
        headers: RequestHeaders,
        accept_ranges: bool,
        request: Connection | None = None,
    ) -> None:
        """Do what :meth:`make_conditional` does, also without the object of the request."""
        if self._code != 200:
            return
        fields, names = self._fields, headers.names
        if _CONDITIONS.isdisjoint(names):
            # PERF: so it is most often, and 1 µs less.
            if accept_ranges and fields.get("Accept-Ranges") != "bytes":
                self._offer_ranges(fields, method)
            return
        verdict = decide(
            method,
            headers,
            etag=fields.get("ETag"),
            last_modified=fields.get("Last-Modified"),
            names=names,
        )
        if verdict is NOT_MODIFIED:
            self._set_code(304)
        elif verdict is FAILED:
            self._set_code(412)
            self._set_body(b"")
            self.content_length = None
        elif accept_ranges and self._offer_ranges(fields, method) and method == "GET":
            self._take_ranges(
                headers, request
            )  # SPEC: RFC 9110 section 14.2: Range is for GET alone

    def _offer_ranges(self, fields: Headers, method: str) -> bool:
        """Say that there are ranges, if there are any; return whether there are."""
        if method not in {"GET", "HEAD"} or not self._has_ranges(fields):
            return False
        if fields.get("Accept-Ranges") != "bytes":
            self.accept_ranges = "bytes"
        return True

    def _has_ranges(self, fields: Headers) -> bool:
        # SPEC: RFC 9110 section 8.4: a range counts the encoded bytes, which an encoding made on
        # the way may not give twice alike.
        if "content-encoding" in fields:
            return False
        return self._stream is None or isinstance(self._stream, SourceStream)

    def _take_ranges(self, headers: RequestHeaders, request: Connection | None) -> None:
        asked = parse_range_header(headers.get("range")) if request is None else request.range
        if asked is None:
            return
        condition = (
            parse_if_range_header(headers.get("if-range")) if request is None else request.if_range
        )
        if not condition.allows_range(self.headers.get("ETag"), self.last_modified):
            return
        length = self.content_length
        assert length is not None
        spans = resolve(asked, length)
        if len(spans) == 1:
            start, stop = spans[0]
            self.content_range.set(start, stop, length)
            selection = Selection([Piece(start, stop)])
        else:
            boundary = make_boundary()
            selection = select_parts(spans, length, self.content_type, boundary)
            self.content_type = f"multipart/byteranges; boundary={boundary}"
        if isinstance(self._stream, SourceStream):
            self._stream = SourceStream(self._stream.source, selection)
        else:
            self._body = selection.of(self._body)
        self._set_code(206)
