"""Floor 1: the headers of one part of multipart/form-data, as RFC 7578 and browsers have them."""

from typing import Final

from erlen.exceptions import WireError
from erlen.wire.params import parse_options_header
from erlen.wire.patterns import late

#: Most headers of a part, and most bytes of all of them.
MAX_HEADERS: Final = 16
MAX_HEADER_BYTES: Final = 8192

_MAX_FILENAME_BYTES: Final = 255
_MAX_ENDING_BYTES: Final = 32

#: Lines of RFC 9110 section 5.5: no folding, no blank before the colon, no control characters.
_LINES: Final = late(rb"(?:[!-9;-~]++:[\t -~\x80-\xff]*+\r\n)++")
_PARAMETER: Final = late(
    r';[ \t]*+(?:([^\s=;"]++)[ \t]*+=[ \t]*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^";]*+)))?[ \t]*+'
)
_ESCAPED: Final = late(r'\\(["\\])')
#: Control characters, line separators, directional overrides and isolates, lone surrogates.
_UNFIT: Final = late("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def check_header_lines(lines: bytes) -> None:
    """Check the raw headers of a part, each with its CRLF.

    Raises:
        WireError: They are over :data:`MAX_HEADER_BYTES`, or one is malformed.
    """
    # SAFETY: the library joins folded lines, and drops whitespace (CR and LF too) around names.
    if len(lines) > MAX_HEADER_BYTES:
        raise WireError("The headers of a part are longer than allowed.")
    if not _LINES.fullmatch(lines):
        raise WireError("A header of a part is malformed.")


def read_disposition(headers: list[tuple[str, str]]) -> tuple[str, str | None]:
    """Return the name of a part and its file name, ``None`` for a text field.

    ``filename*`` counts only without ``filename``, for clients that send nothing else; ``name*``
    never does.

    Raises:
        WireError: Not one Content-Disposition, not ``form-data``, no name, a parameter twice.

    Source: RFC 7578 section 4.2; HTML, multipart/form-data encoding algorithm.
    """
    values = [value for key, value in headers if key == "Content-Disposition"]
    if len(values) != 1:
        raise WireError("A part of the form does not have one Content-Disposition.")
    value = values[0]
    # SPEC: HTML, multipart/form-data encoding: browsers write these two forms, with backslashes as
    # they are and no other quotes. No other reading would cut such a line elsewhere.
    pieces = value.split('"')
    if pieces[0] == "form-data; name=" and not pieces[-1]:
        if len(pieces) == 3:
            return _percent_decode(pieces[1]), None
        if len(pieces) == 5 and pieces[2] == "; filename=":
            return _percent_decode(pieces[1]), _percent_decode(pieces[3])
    parameters = _parameters(value)
    name, filename = parameters.get("name"), parameters.get("filename")
    if name is None:
        raise WireError("A part of the form has no name.")
    if filename is None and "filename*" in parameters:
        extended = f"form-data; filename*={parameters['filename*']}"
        filename = parse_options_header(extended)[1].get("filename")
    return name, filename


def _parameters(value: str) -> dict[str, str]:
    main, semicolon, rest = value.partition(";")
    if main.strip(" \t").lower() != "form-data":
        raise WireError("A part of the form is not form-data.")
    text = semicolon + rest
    parameters: dict[str, str] = {}
    position = 0
    while position < len(text):
        found = _PARAMETER.match(text, position)
        if found is None:
            raise WireError("A Content-Disposition of the form is malformed.")
        position = found.end()
        key, quoted, plain = found.groups()
        if key is None:
            continue
        if key.lower() in parameters:
            raise WireError("A Content-Disposition of the form has a parameter twice.")
        parameters[key.lower()] = plain.strip(" \t") if quoted is None else _unquote(quoted)
    return parameters


def _unquote(quoted: str) -> str:
    r"""Decode a quoted string; a ``\"`` tells that its writer escapes by backslashes."""
    return _ESCAPED.sub(r"\1", quoted) if '\\"' in quoted else _percent_decode(quoted)


def _percent_decode(text: str) -> str:
    # SPEC: HTML, multipart/form-data encoding: these three are escaped, "%" itself is not.
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def clean_filename(raw: str) -> str:
    """Return a client's file name without directories and control characters.

    What follows the last slash or backslash counts, ``.`` and ``..`` become empty, and 255 bytes of
    UTF-8 are kept, the ending among them. The result is for display and still the client's
    choice: it is no path.
    """
    name = _UNFIT.sub("", raw.replace("\\", "/").rpartition("/")[2])
    if name in {".", ".."}:
        return ""
    if len(name.encode()) <= _MAX_FILENAME_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending.encode()) > _MAX_ENDING_BYTES:
        stem, dot, ending = name, "", ""
    room = _MAX_FILENAME_BYTES - len((dot + ending).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + ending
