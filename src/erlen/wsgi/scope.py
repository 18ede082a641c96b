"""Floor 8: the ASGI scope of a WSGI request (PEP 3333 to ASGI 3.0)."""

from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from erlen.protocols import RawHeaders, Scope
from erlen.wsgi.environ import Environ

#: SPEC: RFC 3875: the length has a name of its own, and the server has taken chunks apart.
_NOT_FIELDS = {"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_TRANSFER_ENCODING"}


def scope_of(environ: Environ, state: dict[str, Any]) -> Scope:
    """Return the scope of the request; *state* is that of the lifespan."""
    root = _bytes(environ.get("SCRIPT_NAME") or "").rstrip(b"/")
    path = root + _bytes(environ.get("PATH_INFO") or "") or b"/"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        "method": environ["REQUEST_METHOD"],
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": path.decode("utf-8", "replace"),
        "raw_path": _raw_path(environ, path),
        "query_string": _bytes(environ.get("QUERY_STRING") or ""),
        "root_path": root.decode("utf-8", "replace"),
        "headers": _headers(environ),
        "client": _address(environ, "REMOTE_ADDR", "REMOTE_PORT"),
        "server": _address(environ, "SERVER_NAME", "SERVER_PORT"),
        "state": dict(state),
        "extensions": {},
    }


def length_of(environ: Environ) -> int | None:
    """Return the bytes of the body, ``None`` for those until the file's end."""
    value = environ.get("CONTENT_LENGTH") or ""
    # SAFETY: Python refuses to read numbers of thousands of digits.
    if value.isdecimal() and value.isascii() and len(value) < 20:
        return int(value)
    return None if not value and environ.get("wsgi.input_terminated") else 0


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


def _raw_path(environ: Environ, path: bytes) -> bytes:
    """Return the path as the client wrote it, if the server tells and nobody has rewritten it."""
    told = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    raw = _bytes(told).partition(b"?")[0]
    return raw if unquote_to_bytes(raw) == path else quote_from_bytes(path).encode()


def _headers(environ: Environ) -> RawHeaders:
    headers = [
        (_bytes(key[5:].replace("_", "-").lower()), _bytes(value))
        for key, value in environ.items()
        if key.startswith("HTTP_") and key not in _NOT_FIELDS
    ]
    for key, name in (("CONTENT_TYPE", b"content-type"), ("CONTENT_LENGTH", b"content-length")):
        if environ.get(key):
            headers.append((name, _bytes(environ[key])))
    return headers


def _address(environ: Environ, host: str, port: str) -> tuple[str, int] | None:
    if not environ.get(host):
        return None
    number = str(environ.get(port) or "")
    return environ[host], int(number) if number.isdecimal() else 0
