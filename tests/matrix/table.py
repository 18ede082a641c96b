"""What happens when something happens: the life of an exchange as data, and nothing else.

``LIVES`` names every position of an exchange in the order in which it is reached. A row of a matrix
names positions, then says for each outcome what the client sees and what becomes of the exchange.
The first word of a cell is what the client sees: a status, a close code, ``nothing`` (no answer was
begun), or ``broken`` (one was begun and has no end). The second one is one of ``FATES``.
``docs/lifetimes.md`` prints all of it; ``python -m tests.matrix.printing`` prints it anew.
"""

from typing import NamedTuple


class Fate(NamedTuple):
    """What becomes of an exchange after something has happened in it.

    Attributes:
        goes: Where the exchange goes on: ``on``, ``answer`` (the after hooks, then sending) or
            ``end`` (teardown).
        handler: Who answers: ``its`` (the handler of the error), ``500`` or nobody.
        logged: How often the error is logged.
        hooks_get: What teardown hooks get: ``nothing``, ``error``, ``cancellation`` or ``left``.
        raised: Whether the server gets what teardown hooks get: ``never``, ``in tests`` or
            ``always``.
        words: The sentence of the page.
    """

    goes: str
    handler: str
    logged: int
    hooks_get: str
    raised: str
    words: str


FATES = {
    "served": Fate("on", "", 0, "nothing", "never", "Everything runs."),
    "unnoticed": Fate(
        "on", "", 0, "nothing", "never",
        "The client has left and nobody has asked for it. Everything runs.",
    ),
    "shielded": Fate(
        "on", "", 0, "nothing", "never",
        "This place is shielded from cancellation. Everything runs.",
    ),
    "handled": Fate(
        "answer", "its", 0, "nothing", "never",
        "The error's handler answers; the after hooks that have not begun run; teardown.",
    ),
    "plain": Fate(
        "answer", "", 0, "nothing", "never",
        "The error's own page answers, without a handler; after hooks and teardown as above.",
    ),
    "failed": Fate(
        "answer", "500", 1, "error", "in tests",
        "The error is logged, the handler of 500 answers; after hooks and teardown as above.",
    ),
    "fixed": Fate(
        "answer", "", 1, "nothing", "never",
        "The handler of 500 has failed: that is logged, too, and a fixed page answers.",
    ),
    "raised": Fate(
        "end", "", 1, "error", "always",
        "No answer can be made any more: the connection breaks; teardown; the error is logged, and "
        "the server gets it, in tests without the line in the log.",
    ),
    "cancelled": Fate(
        "end", "", 0, "cancellation", "always",
        "Nothing more is sent; teardown, shielded; the cancellation goes on to who cancelled.",
    ),
    "left": Fate(
        "end", "", 0, "left", "never",
        "The exchange ends where it first notices: the next `receive()` or `send()`, or where a "
        "stream waits; teardown.",
    ),
    "logged": Fate("on", "", 1, "nothing", "never", "The error is logged. Everything else runs."),
    "stopped": Fate(
        "on", "", 0, "nothing", "always", "Everything else runs; then the server gets the error."
    ),
    "late": Fate(
        "on", "", 1, "nothing", "in tests",
        "The error is logged. Everything else runs; in tests the error is raised at the very end.",
    ),
}  # fmt: skip

# --- lives ----------------------------------------------------------------------------------------

_BEFORE = [
    "session opens",
    "url_value_preprocessor",
    "before_request (app)",
    "before_request (blueprint)",
]
_AFTER = [
    "after_this_request",
    "after_request (blueprint)",
    "after_request (app)",
    "session is saved",
]
_SEND = ["send (start)", "send (body)"]
_TEARDOWN = ["teardown_request (blueprint)", "teardown_request (app)", "teardown_appcontext"]
_SOCKET_BEFORE = [
    "session opens",
    "url_value_preprocessor",
    "before_websocket (app)",
    "before_websocket (blueprint)",
    "view, before the accept",
]
_ACCEPT = ["session is saved", "receive (connect)", "send (accept)"]
_SOCKET_AFTER = ["after_this_websocket", "after_websocket (blueprint)", "after_websocket (app)"]
_SOCKET_TEARDOWN = [
    "teardown_websocket (blueprint)",
    "teardown_websocket (app)",
    "teardown_appcontext",
]

#: What the lives are called on the page.
TITLES = {
    "/page": "A request whose response is known",
    "/stream": "One whose view returns a generator",
    "/push": "One whose view sends, by `stream()`",
    "/socket": "A WebSocket",
    "/socket/refused": "A WebSocket that is refused",
}

#: Kind of exchange → path of the application → the positions in order. A position that several
#: lives have is tried in the first of them.
LIVES: dict[str, dict[str, list[str]]] = {
    "HTTP": {
        "/page": [
            *_BEFORE, "view", "receive (body)", "view, body read", "template",
            *_AFTER, *_SEND, "call_on_close", *_TEARDOWN,
        ],
        "/stream": [
            *_BEFORE, "view", *_AFTER,
            "generator, before its first chunk", "send (start of a stream)", "send (chunk)",
            "generator, after its first chunk", "receive (beside a stream)", "send (next chunk)",
            "generator, after its last chunk", "send (end of a stream)",
            "call_on_close", *_TEARDOWN,
        ],
        "/push": [
            *_BEFORE, "view", "stream(), before its first chunk", *_AFTER,
            "send (start of a stream)", "send (chunk)", "stream(), after its first chunk",
            "send (next chunk)", "stream(), after its last chunk", "send (end of a stream)",
            "view, after stream()", *_TEARDOWN,
        ],
        "/children": [*_BEFORE, "view", "child of the request", *_AFTER, *_SEND, *_TEARDOWN],
        "/403": [*_BEFORE, "view", "errorhandler(403)", *_AFTER, *_SEND, *_TEARDOWN],
        "/known": [*_BEFORE, "view", "errorhandler(Known)", *_AFTER, *_SEND, *_TEARDOWN],
        "/boom": [*_BEFORE, "view", "errorhandler(500)", *_AFTER, *_SEND, *_TEARDOWN],
    },
    "WebSocket": {
        "/socket": [
            *_SOCKET_BEFORE, *_ACCEPT, "view, after the accept", "receive (message)",
            "view, after a message", "send (message)", *_SOCKET_AFTER, "send (close)",
            *_SOCKET_TEARDOWN,
        ],
        "/socket/403": [
            *_SOCKET_BEFORE, *_ACCEPT, "errorhandler(403)", "send (close)", *_SOCKET_AFTER,
            *_SOCKET_TEARDOWN,
        ],
        "/socket/known": [
            *_SOCKET_BEFORE, *_ACCEPT, "errorhandler(Known)", "send (close)", *_SOCKET_AFTER,
            *_SOCKET_TEARDOWN,
        ],
        "/socket/boom": [
            *_SOCKET_BEFORE, *_ACCEPT, "errorhandler(500)", "send (close)", *_SOCKET_AFTER,
            *_SOCKET_TEARDOWN,
        ],
        "/socket/refused": [
            *_SOCKET_BEFORE, "errorhandler(403) of a handshake", *_SOCKET_AFTER,
            "session is saved", "receive (connect)", "send (denial)", "send (denial's body)",
            *_SOCKET_TEARDOWN,
        ],
    },
}  # fmt: skip

# --- outcomes -------------------------------------------------------------------------------------

#: The columns of the two large matrices.
OUTCOMES = {
    "ok": "nothing happens",
    "HTTP error": "`abort(403)`; the application has an error handler for 403",
    "handled exception": "`raise Known()`; the application has a handler for `Known`: status 418",
    "exception": "`raise Boom()`; nothing handles it but the handler for 500",
    "cancelled": "the scope around the exchange is cancelled, by the server for example",
    "left, receive tells": "the client leaves, and `receive()` says so: `http.disconnect`",
    "left, send tells": "the client leaves, and only `send()` says so: `OSError`",
    "group of one kind": "`ExceptionGroup` of two `Known`",
    "mixed group": "`ExceptionGroup` of `Known` and `Boom`",
}

#: The columns of the matrices of kinds; those between semicolons behave alike everywhere.
KINDS = {
    "abort(404)": "there is no handler for it",
    "abort(500)": "there is one for it",
    "abort(response)": "its status is 410; no handler sees it",
    "ValueError; RecursionError; MemoryError; Unprintable": (
        "`str()` and `repr()` of the last one raise"
    ),
    "StopAsyncIteration": "raised by hand, or by a forgotten default of `anext()`",
    "nested cancellation": "of a scope that was opened in the same place",
    "SystemExit; KeyboardInterrupt": "they end the process, after the teardown",
    "GeneratorExit": "raised by hand",
}

#: Cells that are not tried: beginning of the position, outcome, kind of functions, and why.
IMPOSSIBLE = [
    (
        "view, after stream()",
        "cancelled",
        "def",
        (
            "A thread cannot be cancelled, and after a `def` view that has sent its response nothing "
            "is awaited that could be. It ends as served."
        ),
    ),
    (
        "generator",
        "StopAsyncIteration",
        "async def",
        "Python itself makes a `RuntimeError` of it, which is one of the column before.",
    ),
    (
        "teardown",
        "GeneratorExit",
        "",
        (
            "It is Python's word for a task that is closed before its end and can await nothing "
            "more. So the teardown hooks that follow are not called; elsewhere a response that is "
            "not sent is not closed."
        ),
    ),
]  # fmt: skip

# --- matrices -------------------------------------------------------------------------------------

#: Cells in the order of ``OUTCOMES``.
HTTP = """
session opens; url_value_preprocessor; before_request (app); before_request (blueprint); view; receive (body)
| 200 served | 403 handled | 418 handled | 500 failed | nothing cancelled | nothing left | nothing left | 418 handled | 500 failed
view, body read; template; child of the request; after_this_request; after_request (blueprint); after_request (app); session is saved
| 200 served | 403 handled | 418 handled | 500 failed | nothing cancelled | 200 unnoticed | nothing left | 418 handled | 500 failed
generator, before its first chunk; stream(), before its first chunk
| 200 served | 403 handled | 418 handled | 500 failed | nothing cancelled | nothing left | nothing left | 418 handled | 500 failed
generator, after its first chunk; generator, after its last chunk; stream(), after its first chunk; stream(), after its last chunk; receive (beside a stream); send (chunk); send (next chunk)
| 200 served | broken raised | broken raised | broken raised | broken cancelled | broken left | broken left | broken raised | broken raised
view, after stream()
| 200 served | 200 raised | 200 raised | 200 raised | 200 cancelled | 200 unnoticed | 200 unnoticed | 200 raised | 200 raised
send (start)
| 200 served | nothing raised | nothing raised | nothing raised | nothing cancelled | 200 unnoticed | nothing left | nothing raised | nothing raised
send (start of a stream)
| 200 served | nothing raised | nothing raised | nothing raised | nothing cancelled | broken left | nothing left | nothing raised | nothing raised
send (body); send (end of a stream)
| 200 served | broken raised | broken raised | broken raised | broken cancelled | 200 unnoticed | broken left | broken raised | broken raised
errorhandler(403)
| 403 served | 403 plain | 500 failed | 500 failed | nothing cancelled | 403 unnoticed | nothing left | 500 failed | 500 failed
errorhandler(Known)
| 418 served | 403 plain | 500 failed | 500 failed | nothing cancelled | 418 unnoticed | nothing left | 500 failed | 500 failed
errorhandler(500)
| 500 served | 500 fixed | 500 fixed | 500 fixed | nothing cancelled | 500 unnoticed | nothing left | 500 fixed | 500 fixed
call_on_close
| 200 served | 200 logged | 200 logged | 200 logged | 200 shielded | 200 unnoticed | 200 unnoticed | 200 logged | 200 logged
teardown_request (blueprint); teardown_request (app); teardown_appcontext
| 200 served | 200 late | 200 late | 200 late | 200 shielded | 200 unnoticed | 200 unnoticed | 200 late | 200 late
"""

WEBSOCKET = """
session opens; url_value_preprocessor; before_websocket (app); before_websocket (blueprint); view, before the accept; session is saved; receive (connect)
| 1000 served | 403 handled | 418 handled | 500 failed | nothing cancelled | nothing left | nothing left | 418 handled | 500 failed
send (accept)
| 1000 served | 1008 handled | 1011 handled | 1011 failed | nothing cancelled | broken left | nothing left | 1011 handled | 1011 failed
view, after the accept; receive (message)
| 1000 served | 1008 handled | 1011 handled | 1011 failed | broken cancelled | broken left | broken left | 1011 handled | 1011 failed
view, after a message; send (message)
| 1000 served | 1008 handled | 1011 handled | 1011 failed | broken cancelled | 1000 unnoticed | broken left | 1011 handled | 1011 failed
after_this_websocket; after_websocket (blueprint); after_websocket (app)
| 1000 served | 1008 handled | 1011 handled | 1011 failed | broken cancelled | 1000 unnoticed | broken unnoticed | 1011 handled | 1011 failed
errorhandler(403) of a handshake
| 403 served | 403 plain | 500 failed | 500 failed | nothing cancelled | nothing left | nothing left | 500 failed | 500 failed
errorhandler(403)
| 1008 served | 1008 plain | 1011 failed | 1011 failed | broken cancelled | 1008 unnoticed | broken unnoticed | 1011 failed | 1011 failed
errorhandler(Known)
| 1011 served | 1008 plain | 1011 failed | 1011 failed | broken cancelled | 1011 unnoticed | broken unnoticed | 1011 failed | 1011 failed
errorhandler(500)
| 1011 served | 1011 fixed | 1011 fixed | 1011 fixed | broken cancelled | 1011 unnoticed | broken unnoticed | 1011 fixed | 1011 fixed
send (denial)
| 403 served | nothing raised | nothing raised | nothing raised | nothing cancelled | 403 unnoticed | nothing left | nothing raised | nothing raised
send (denial's body)
| 403 served | broken raised | broken raised | broken raised | broken cancelled | 403 unnoticed | broken left | broken raised | broken raised
send (close)
| 1000 served | broken raised | broken raised | broken raised | broken cancelled | 1000 unnoticed | broken unnoticed | broken raised | broken raised
teardown_websocket (blueprint); teardown_websocket (app); teardown_appcontext
| 1000 served | 1000 late | 1000 late | 1000 late | 1000 shielded | 1000 unnoticed | 1000 unnoticed | 1000 late | 1000 late
"""

#: Cells in the order of ``KINDS``.
HTTP_KINDS = """
before_request (app); view; after_request (app); session is saved; generator, before its first chunk; stream(), before its first chunk
| 404 plain | 500 handled | 410 plain | 500 failed | 500 failed | 200 served | nothing raised | nothing raised
generator, after its first chunk; stream(), after its first chunk; send (body)
| broken raised | broken raised | broken raised | broken raised | broken raised | 200 served | broken raised | broken raised
errorhandler(403)
| 404 plain | 500 plain | 410 plain | 500 failed | 500 failed | 403 served | nothing raised | nothing raised
errorhandler(500)
| 500 fixed | 500 fixed | 500 fixed | 500 fixed | 500 fixed | 500 served | nothing raised | nothing raised
call_on_close
| 200 logged | 200 logged | 200 logged | 200 logged | 200 logged | 200 served | 200 raised | 200 raised
teardown_request (app)
| 200 late | 200 late | 200 late | 200 late | 200 late | 200 served | 200 stopped | 200 stopped
"""

WEBSOCKET_KINDS = """
view, before the accept
| 404 plain | 500 handled | 410 plain | 500 failed | 500 failed | 1000 served | nothing raised | nothing raised
view, after the accept; send (message); after_websocket (app)
| 1008 plain | 1011 handled | 1008 plain | 1011 failed | 1011 failed | 1000 served | broken raised | broken raised
teardown_websocket (app)
| 1000 late | 1000 late | 1000 late | 1000 late | 1000 late | 1000 served | 1000 stopped | 1000 stopped
"""

#: Title → kind of exchange, columns, cells.
MATRICES = {
    "HTTP": ("HTTP", OUTCOMES, HTTP),
    "WebSocket": ("WebSocket", OUTCOMES, WEBSOCKET),
    "HTTP, kinds of errors": ("HTTP", KINDS, HTTP_KINDS),
    "WebSocket, kinds of errors": ("WebSocket", KINDS, WEBSOCKET_KINDS),
}
