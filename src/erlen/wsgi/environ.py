"""Floor 8: the WSGI environment of an ASGI request (PEP 3333)."""

import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from erlen.protocols import Scope
from erlen.wsgi.file_wrapper import FileWrapper

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Callable[[bytes], object]]

#: SAFETY: programs take HTTP_PROXY for the proxy to use, which a client must not choose (httpoxy).
_DROPPED: Final = {b"proxy"}
_JOINED: Final = {b"cookie": b"; "}


def environ_of(scope: Scope, body: Any) -> Environ:
    """Return the environment of a request whose body is read from the file-like *body*.

    Text is bytes decoded as latin-1, as the specification wants it. A field whose name has an
    underscore is dropped: it would look like the field with a hyphen (SAFETY: a proxy in front may
    vouch for that one only).
    """
    root = (scope.get("root_path") or "").rstrip("/")
    path: str = scope["path"]
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    query: bytes = scope.get("query_string") or b""
    raw_path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    uri = raw_path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    host, port = _server_of(scope)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": _as_latin1(root),
        "PATH_INFO": _as_latin1(path),
        "QUERY_STRING": query.decode("latin-1"),
        "REQUEST_URI": uri,
        "RAW_URI": uri,
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version') or '1.1'}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme") or "http",
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "asgi.scope": scope,
    }
    if client := scope.get("client"):
        environ["REMOTE_ADDR"] = str(client[0])
        environ["REMOTE_PORT"] = str(client[1])
    _add_fields(environ, scope)
    return environ


def _add_fields(environ: Environ, scope: Scope) -> None:
    fields: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if b"_" in name or name in _DROPPED:
            continue
        known = fields.get(name)
        fields[name] = value if known is None else known + _JOINED.get(name, b",") + value
    for name, value in fields.items():
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        environ[key] = value.decode("latin-1")
    if "HTTP_TRANSFER_ENCODING" in environ:
        # The server has taken the chunks apart; the end of the body is the end of the file.
        environ.pop("CONTENT_LENGTH", None)


def _as_latin1(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _server_of(scope: Scope) -> tuple[str, int]:
    """Return name and port, which must be there: the server's, or what Host says."""
    default = 443 if scope.get("scheme") == "https" else 80
    server = scope.get("server")
    if server and server[1]:
        return str(server[0]), int(server[1])
    host = dict(scope["headers"]).get(b"host", b"localhost").decode("latin-1")
    end = host.find(":", host.find("]") + 1)
    port = "" if end < 0 else host[end + 1 :]
    return host[:end] if port else host, int(port) if port.isdecimal() else default
