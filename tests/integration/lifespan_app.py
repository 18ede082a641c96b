"""The application whose startup or shutdown fails as ``FAIL`` says; it prints what runs."""

import os
from collections.abc import AsyncIterator
from typing import Any

import anyio

from erlen import Erlen, current_app

app = Erlen("integration-lifespan")
sub = Erlen("integration-mounted")
app.mount("/sub", sub)
FAIL = os.environ.get("FAIL")
if FAIL == "hang":
    app.config["STARTUP_TIMEOUT"] = 0.2


def say(what: str) -> None:
    print(f"[{what}]", flush=True)  # noqa: T201  # the test reads it


@app.lifespan
async def database() -> AsyncIterator[dict[str, Any]]:
    say("database opens")
    yield {"pool": "pool"}
    say("database closes")


@app.before_serving
async def connect() -> None:
    if FAIL == "startup":
        raise LookupError("no database today")
    if FAIL == "hang":
        await anyio.sleep_forever()


@app.after_serving
async def disconnect() -> None:
    say("after serving")
    if FAIL == "shutdown":
        raise LookupError("no peace today")


@sub.before_serving
async def connect_mounted() -> None:
    say("mounted starts")
    if FAIL == "mounted":
        raise LookupError("no database today")


@sub.after_serving
async def disconnect_mounted() -> None:
    say("mounted ends")


@app.get("/")
@sub.get("/")
async def index() -> str:
    return f"{current_app.name} has {getattr(app.state, 'pool', 'nothing')}"
