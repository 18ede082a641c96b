"""What is asked of every application, and the one answer that counts.

A scenario names a function of the modules in ``peers``; the worker asks, compares, and only then
takes the time.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from bench.peers import content

Field = tuple[bytes, bytes]
#: One more request, and whether the body of its answer is as it must be.
Then = tuple["Ask", Callable[[bytes], bool]]
HTML = "text/html; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True)
class Ask:
    """One request. *fields* go beside those that every client sends."""

    path: str
    method: str = "GET"
    query: bytes = b""
    fields: tuple[Field, ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """One answer, its header names in lower case."""

    status: int
    fields: tuple[Field, ...]
    body: bytes

    def field(self, name: bytes) -> str | None:
        """Return the first value of a header field; ``None``: there is none."""
        return next((value.decode() for key, value in self.fields if key == name), None)


@dataclass(frozen=True)
class Scenario:
    """One row of the tables.

    Attributes:
        name: As ``--only`` knows it.
        title: What tables call it.
        app: The function of a peer's module that makes the application.
        asks: What is asked for, in turn.
        body: Ask → the body expected, as :attr:`read` gives it; ``None``: any.
        read: Body → what is compared; JSON is compared by value, its spaces are free.
        status: Expected.
        content_type: Expected, letter for letter; ``None``: any.
        rules: Argument of the function; 0: it takes none.
        first: Asked once before the others; its answer goes to :attr:`carry`.
        carry: Answer → header fields of all other requests (a cookie, validators).
        then: Carried fields and last answer → one more request, and what its body must fulfil:
            proof of what one answer alone does not show. Not measured.
        hooks: How many before and after hooks, and middlewares, each request must pass.
        counts: Part of the geometric mean.
        messages: Of one WebSocket connection; 0: HTTP. Times are those of one message.
    """

    name: str
    title: str
    app: str
    asks: tuple[Ask, ...]
    body: Callable[[Ask], object] | None
    read: Callable[[bytes], object] = bytes.decode
    status: int = 200
    content_type: str | None = HTML
    rules: int = 0
    first: Ask | None = None
    carry: Callable[[Answer], tuple[Field, ...]] = lambda _answer: ()
    then: Callable[[tuple[Field, ...], Answer], Then] | None = None
    hooks: tuple[int, int, int] = (0, 0, 0)
    counts: bool = True
    messages: int = 0


# --- what is sent ---------------------------------------------------------------------------------

_URLS = 5_000
_VALUE = {"id": 42, "name": "Ann", "active": True, "tags": ["a", "b"]}
_BOUNDARY = b"----bench-boundary-7d8f1c"
_FILE = random.Random(7).randbytes(1024 * 1024)


def _order() -> bytes:
    """Return a JSON object of 1 KiB: what a shop might send."""
    lines = [
        {
            "item": f"item-{number}",
            "quantity": number % 5 + 1,
            "price": 3.25 * number,
            "gift": False,
        }
        for number in range(13)
    ]
    order = {"id": 7, "customer": {"name": "Ann", "city": "Zürich"}, "lines": lines, "note": ""}
    order["note"] = "n" * (1024 - len(json.dumps(order, ensure_ascii=False).encode()))
    return json.dumps(order, ensure_ascii=False).encode()


def _multipart() -> bytes:
    """Return three text fields and one file of 1 MiB."""
    start = b"--" + _BOUNDARY + b'\r\nContent-Disposition: form-data; name="'
    texts = {b"title": b"A photo", b"place": b"Bern", b"tag": b"summer"}
    parts = [b'%s%s"\r\n\r\n%s\r\n' % (start, name, text) for name, text in texts.items()]
    kind = b"Content-Type: application/octet-stream"
    parts.append(b'%sfile"; filename="photo.bin"\r\n%s\r\n\r\n%s\r\n' % (start, kind, _FILE))
    return b"".join(parts) + b"--" + _BOUNDARY + b"--\r\n"


def _post(path: str, content_type: bytes, body: bytes) -> Ask:
    length = b"%d" % len(body)
    fields = ((b"content-type", content_type), (b"content-length", length))
    return Ask(path, "POST", fields=fields, body=body)


_SEARCH = Ask(
    "/search",
    query=b"q=tea&page=2",
    fields=(
        (b"accept-language", b"en,de;q=0.7"),
        (b"accept-encoding", b"gzip, deflate, br"),
        (b"referer", b"http://127.0.0.1:8000/"),
        (b"cache-control", b"no-cache"),
        (b"x-request-id", b"4f1c2a7e"),
        (b"cookie", b"theme=dark"),
    ),
)
_FORM = _post(
    "/form",
    b"application/x-www-form-urlencoded",
    b"name=Ann+Example&email=ann%40example.org&street=Main+Street+7&city=Z%C3%BCrich&zip=8001"
    b"&country=CH&phone=%2B41+44+000+00+00&newsletter=yes&terms=on&comment=Thank+you%21",
)
_ECHO = _post("/echo", b"application/json", _order())
_UPLOAD = _post("/upload", b"multipart/form-data; boundary=" + _BOUNDARY, _multipart())


# --- what is carried from one answer to the next request ------------------------------------------


def _cookie(answer: Answer) -> tuple[Field, ...]:
    pairs = [value.partition(b";")[0] for key, value in answer.fields if key == b"set-cookie"]
    if not pairs:
        raise AssertionError("The answer set no cookie.")
    return ((b"cookie", b"; ".join(pairs)),)


def _validators(answer: Answer) -> tuple[Field, ...]:
    """Return what a browser sends to ask whether its copy is still good."""
    names = {b"etag": b"if-none-match", b"last-modified": b"if-modified-since"}
    return tuple((names[key], value) for key, value in answer.fields if key in names)


def _forged(carried: tuple[Field, ...], _answer: Answer) -> Then:
    """Return a request with a cookie of which one character of the signature was changed."""
    ((name, value),) = carried
    changed = value[:-6] + (b"A" if value[-6:-5] != b"A" else b"B") + value[-5:]
    return Ask("/read", fields=((name, changed),)), lambda body: body != b"ann"


def _visited_again(_carried: tuple[Field, ...], answer: Answer) -> Then:
    return Ask("/visit", fields=_cookie(answer)), lambda body: body == b"3"


# --- the scenarios --------------------------------------------------------------------------------


def _plain(name: str, title: str, hooks: tuple[int, int, int] = (0, 0, 0)) -> Scenario:
    return Scenario(name, title, name, (Ask("/"),), lambda _ask: "Hello, World!", hooks=hooks)


def _value(name: str, title: str, app: str) -> Scenario:
    asks = (Ask("/json"),)
    return Scenario(name, title, app, asks, lambda _ask: _VALUE, json.loads, content_type=JSON)


def _post_named(ask: Ask) -> str:
    _, _, user_id, _, slug = ask.path.split("/")
    return f"{user_id}:{slug}"


def _number(ask: Ask) -> str:
    return ask.path.rpartition("/")[2]


def _routes(rules: int, which: str) -> Scenario:
    """Return the scenario of *rules* rules ``/section-N/items/<int>``; each URL is another one."""
    section = {"first": 0, "last": rules - 1, "miss": rules // 2}[which]
    word = "nothing" if which == "miss" else "items"
    asks = tuple(Ask(f"/section-{section}/{word}/{number}") for number in range(_URLS))
    return Scenario(
        f"routes-{rules}-{which}",
        f"{rules:,} routes, {which}",
        "routes",
        asks,
        None if which == "miss" else _number,
        status=404 if which == "miss" else 200,
        content_type=None if which == "miss" else HTML,
        rules=rules,
        counts=which == "last",
    )


SCENARIOS = (
    _plain("plaintext", "plaintext"),
    _value("json", "JSON, default codec", "json"),
    _value("json-fast", "JSON, the faster codec of the documentation", "json_fast"),
    Scenario(
        "params",
        "path parameters, 5,000 URLs",
        "params",
        tuple(Ask(f"/users/{each}/posts/post-{each * 7919 % _URLS}") for each in range(_URLS)),
        _post_named,
    ),
    Scenario(
        "query",
        "query, 8 header fields, cookie",
        "query",
        (_SEARCH,),
        lambda _ask: "tea 2 4f1c2a7e dark",
    ),
    Scenario(
        "echo",
        "JSON body of 1 KiB, echoed",
        "echo",
        (_ECHO,),
        lambda ask: json.loads(ask.body),
        json.loads,
        content_type=JSON,
    ),
    Scenario(
        "form",
        "urlencoded form, 10 fields",
        "form",
        (_FORM,),
        lambda _ask: "Ann Example ann@example.org Zürich Thank you!",
    ),
    Scenario(
        "multipart",
        "multipart, 1 MiB and 3 fields",
        "multipart",
        (_UPLOAD,),
        lambda _ask: f"A photo Bern summer photo.bin {len(_FILE)} {_FILE[-4:].hex()}",
    ),
    Scenario(
        "template",
        "Jinja2 template, 10 items",
        "template",
        (Ask("/page"),),
        lambda _ask: content.PAGE,
    ),
    Scenario(
        "session-read",
        "session, read",
        "session",
        (Ask("/read"),),
        lambda _ask: "ann",
        first=Ask("/login"),
        carry=_cookie,
        then=_forged,
    ),
    Scenario(
        "session-write",
        "session, read and written",
        "session",
        (Ask("/visit"),),
        lambda _ask: "2",
        first=Ask("/login"),
        carry=_cookie,
        then=_visited_again,
    ),
    _plain("hooks", "5 before and 5 after hooks", (5, 5, 0)),
    _plain("middleware", "5 middlewares", (0, 0, 5)),
    Scenario(
        "stream",
        "stream, 100 chunks of 1 KiB",
        "stream",
        (Ask("/stream"),),
        lambda _ask: content.CHUNK * content.CHUNKS,
        bytes,
        content_type=None,
    ),
    Scenario(
        "static",
        "static file, 64 KiB",
        "static",
        (Ask("/static/image.png"),),
        lambda _ask: content.image(),
        bytes,
        content_type="image/png",
    ),
    Scenario(
        "static-304",
        "static file, 304",
        "static",
        (Ask("/static/image.png"),),
        lambda _ask: b"",
        bytes,
        status=304,
        content_type=None,
        first=Ask("/static/image.png"),
        carry=_validators,
    ),
    Scenario(
        "websocket",
        "WebSocket echo, one message",
        "websocket",
        (Ask("/ws"),),
        None,
        messages=1_000,
    ),
    _plain("sync", "def view in a thread"),
    *(
        _routes(rules, which)
        for rules, which in product((10, 1_000, 10_000), ("first", "last", "miss"))
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
