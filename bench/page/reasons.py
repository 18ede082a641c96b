"""Why a peer is ahead of erlen where it is: kind, row, peer → words; ``*`` stands for any."""

_MISS = (
    "erlen's 404 is a page of its own with a title and a sentence, or problem details for who "
    "prefers JSON, with the application's hooks and handlers around it; Falcon and BlackSheep send "
    "a fixed short body"
)
_MORE = "erlen brings the server, templates, signed sessions and the test client with it"

REASONS: dict[tuple[str, str, str], str] = {
    ("in process", "plaintext", "*"): "within the spread of runs",
    ("in process", "hooks", "*"): "within the spread of runs",
    ("in process", "middleware", "*"): "within the spread of runs",
    ("in process", "json-fast", "*"): (
        "what orjson writes is looked at for NaN, which it writes as null, and for its depth"
    ),
    ("in process", "query", "*"): (
        "nine fields are checked before anything is read, `request` is a proxy that finds its "
        "context at each use, and query and cookies become multi-dicts with all of their values; "
        "BlackSheep and Falcon are partly compiled here"
    ),
    ("in process", "echo", "*"): (
        "reading and writing JSON take what bare ASGI takes; the origin of the request, the limits "
        "of length, time and depth, and half surrogate pairs are looked at around it"
    ),
    ("in process", "form", "*"): (
        "the fields are decoded in 4 µs, and the limits of length, time and number around them are "
        "some forty calls of Python; Falcon reads and decodes with compiled helpers"
    ),
    ("in process", "multipart", "*"): (
        "a file of more than 256 KiB is written to disk, read and closed in a thread, which is two "
        "thirds of it; Falcon and Sanic keep it in memory, where erlen takes 255 µs"
    ),
    ("in process", "session-read", "*"): (
        "the time stamp and the age are checked, and changes inside of values are found by "
        "comparing what was loaded with what is left"
    ),
    ("in process", "session-write", "*"): (
        "the time stamp and the age are checked, changes inside of values are found by comparing, "
        "and values keep their types by tags"
    ),
    ("in process", "stream", "*"): (
        "two scopes end the generator once and shield its cleaning up when the client leaves, and "
        "each chunk is looked at for its kind, for a client that is gone, and for the event loop's "
        "turn"
    ),
    ("in process", "websocket", "*"): (
        "each message is compared with the limits of size and rate, and each send is counted for "
        "SEND_TIMEOUT; the proxy `websocket` is 0.1 µs of it"
    ),
    ("in process", "static-304", "*"): "within the spread of runs",
    (
        "in process",
        "sync",
        "*",
    ): "within the spread of runs: where two threads run moves all of them",
    ("in process", "routes-10-miss", "*"): _MISS,
    ("in process", "routes-1000-miss", "*"): _MISS,
    ("in process", "routes-10000-miss", "*"): _MISS,
    ("wire", "query", "*"): "as in process; requests per second of a busy core spread widely",
    ("wire", "*", "*"): (
        "latencies and requests per second of a busy core spread by a tenth and more; the server's "
        "processor time is the steadier figure"
    ),
    ("startup", "distributions", "*"): _MORE,
    ("startup", "installed", "*"): _MORE,
    ("startup", "socket_bytes", "*"): "a context, a task scope and the limits of the socket",
    ("startup", "import_ms", "*"): "anyio, blinker, and more modules of its own",
    ("startup", "modules", "*"): "anyio, blinker and small modules with one reason each",
    ("startup", "first_response_ms", "*"): "the import, and the freeze of the declarations",
    ("startup", "resident", "*"): "the code of what was imported",
}
