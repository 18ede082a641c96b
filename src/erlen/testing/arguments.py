"""Floor 8: Flask's arguments of a test request, turned into httpx's."""

from collections.abc import Mapping
from typing import Any, TypedDict
from urllib.parse import urlencode

from erlen.testing.binding import httpx

__all__ = ["BuildOptions", "RequestOptions", "absolute_url", "httpx_options"]


class BuildOptions(TypedDict, total=False):
    """What describes one request; httpx keeps the types of its arguments private, hence ``Any``."""

    content: Any
    #: A mapping of form fields and files, or the raw body as text, bytes or an open file.
    data: Any
    files: Any
    json: Any
    params: Any
    headers: Any
    cookies: Any
    timeout: Any
    extensions: Any
    query_string: str | Mapping[str, Any]
    content_type: str
    mimetype: str
    base_url: str
    #: Seconds for each wait on the application, in place of the client's; ``None`` for no limit.
    deadline: float | None


class RequestOptions(BuildOptions, total=False):
    """What describes one request and how it is sent."""

    #: ``(user, password)`` or an ``httpx.Auth``.
    auth: Any
    follow_redirects: Any


def absolute_url(base: httpx.URL, url: httpx.URL | str) -> str:
    """Put *url* under *base*, unless it is absolute.

    Unlike httpx's own joining this keeps a path that starts with two slashes: it is a path.
    """
    text = str(url)
    scheme, separator, _ = text.partition("://")
    if separator and scheme.isalpha():
        return text
    prefix = base.raw_path.partition(b"?")[0].decode("ascii").rstrip("/")
    slash = "" if text.startswith("/") else "/"
    return f"{base.scheme}://{base.netloc.decode('ascii')}{prefix}{slash}{text}"


def httpx_options(url: str, options: BuildOptions, provider: Any) -> tuple[str, dict[str, Any]]:
    """Return the URL and the keyword arguments for ``httpx.AsyncClient.build_request``.

    Args:
        url: An absolute URL.
        options: As the test gave them.
        provider: The application's ``app.json``, by which ``json=`` is encoded, or ``None``.

    Raises:
        ValueError: A query was given in the URL and as an argument.
        TypeError: Two arguments describe the body.
    """
    known: dict[str, Any] = dict(options)
    query = known.pop("query_string", None)
    if query is not None:
        url = _with_query(url, query)
    known.pop("base_url", None)
    if "deadline" in known:
        known["timeout"] = known.pop("deadline")
    content_type = known.pop("content_type", None)
    content_type = known.pop("mimetype", None) or content_type
    _refuse_two_bodies(known)
    if known.get("json") is not None and hasattr(provider, "encode"):
        known["content"] = provider.encode(known.pop("json"))
        content_type = content_type or getattr(provider, "mimetype", "application/json")
    data = known.pop("data", None)
    if isinstance(data, Mapping):
        multipart = (content_type or "").startswith("multipart/form-data")
        known |= _form(data, known.get("files"), multipart=multipart)
        content_type = None if multipart else content_type
    elif data is not None:
        known["content"] = data.read() if hasattr(data, "read") else data
    if content_type:
        headers = httpx.Headers(known.get("headers"))
        headers["content-type"] = content_type
        known["headers"] = headers
    return url, known


def _with_query(url: str, query: str | Mapping[str, Any]) -> str:
    if "?" in url:
        raise ValueError(
            f"The query of {url!r} was given in the path and as query_string={query!r}. "
            "Give it once."
        )
    text = query if isinstance(query, str) else urlencode(query, doseq=True)
    return f"{url}?{text}"


def _refuse_two_bodies(known: dict[str, Any]) -> None:
    given = [name for name in ("json", "data", "content") if known.get(name) is not None]
    if len(given) > 1:
        raise TypeError(
            f"{given[0]}= and {given[1]}= were both given, but a request has one body. "
            "Give one of them."
        )


def _form(data: Mapping[str, Any], files: Any, *, multipart: bool) -> dict[str, Any]:
    """Split Flask's mapping into httpx's fields and files."""
    fields: dict[str, list[Any]] = {}
    parts: list[tuple[str, Any]] = []
    for name, value in data.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, tuple) or hasattr(one, "read"):
                parts.append((name, _file(one)))
            elif multipart:
                parts.append((name, (None, one if isinstance(one, bytes) else str(one))))
            else:
                fields.setdefault(name, []).append(one)
    if files:
        parts.extend(files.items() if isinstance(files, Mapping) else files)
    return {"data": fields, "files": parts} if parts else {"data": fields}


def _file(value: Any) -> tuple[Any, ...]:
    """Return httpx's ``(filename, file[, content type])`` of Flask's file."""
    if isinstance(value, tuple):
        stream, filename, *content_type = value
        return (filename, stream, *content_type)
    name = getattr(value, "filename", None) or getattr(value, "name", None) or "upload"
    return (str(name).rpartition("/")[2], value, getattr(value, "content_type", None))
