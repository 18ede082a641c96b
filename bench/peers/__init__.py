"""The applications that are measured: who they are, and what their environments need.

Each peer is a module of this package with one function for each kind of application that a scenario
asks for; it returns a new ASGI application. Two dicts by the names of scenarios say more: ``LACKS``
why a scenario is ``n/a``, ``NOTES`` how it was written where that is not obvious.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: In every environment: the loop, the server, and what more than one scenario needs of all.
COMMON = ("httptools", "jinja2", "orjson", "uvicorn", "uvloop", "websockets")


@dataclass(frozen=True)
class Peer:
    """One framework.

    Attributes:
        name: Of its module here, and of its environment.
        title: What tables call it.
        distribution: Whose version is told; ``None``: it has none.
        requirements: What pip installs beside :data:`COMMON`.
    """

    name: str
    title: str
    distribution: str | None
    requirements: tuple[str, ...] = ()


PEERS = (
    Peer("bare", "bare ASGI", None),
    Peer("erlen", "erlen", "erlen", ("-e", f"{ROOT}[fast]")),
    Peer("blacksheep", "BlackSheep", "blacksheep", ("blacksheep", "itsdangerous")),
    Peer("falcon", "Falcon", "falcon", ("falcon",)),
    Peer(
        "starlette",
        "Starlette",
        "starlette",
        ("starlette", "itsdangerous", "python-multipart"),
    ),
    Peer("litestar", "Litestar", "litestar", ("litestar[jinja,cryptography]",)),
    Peer("sanic", "Sanic (ASGI)", "sanic", ("sanic[ext]", "pydantic")),
    Peer("fastapi", "FastAPI", "fastapi", ("fastapi", "itsdangerous", "python-multipart")),
    Peer("quart", "Quart", "quart", ("quart",)),
    Peer("flask", "Flask (a2wsgi)", "flask", ("flask", "a2wsgi")),
)
BY_NAME = {peer.name: peer for peer in PEERS}
