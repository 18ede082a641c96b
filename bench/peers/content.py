"""What the applications of all peers give out: the same values, chunks, page and file."""

import random
import tempfile
from pathlib import Path
from typing import Any

HELLO = "Hello, World!"
SECRET = "5f2a0c1e6bd0f0a2c7e94f6d8f5f3f6f"
HOOKS = 5

CHUNK = bytes(range(256)) * 4
CHUNKS = 100

#: Folder of :data:`PAGE`'s template.
TEMPLATES = Path(__file__).parent / "templates"
_MADE = Path(__file__).parents[1] / ".environments"

TITLE = "Teas & more"
ITEMS = [{"id": number, "name": f"Tea <{number}>", "price": number * 3} for number in range(10)]
_ROWS = "".join(
    f'<li><a href="/items/{number}">Tea &lt;{number}&gt;</a>: {number * 3}</li>\n'
    for number in range(10)
)
PAGE = f"<!doctype html>\n<title>Teas &amp; more</title>\n<ul>\n{_ROWS}</ul>"


def user() -> dict[str, Any]:
    """Return the value of the JSON scenarios, a new one for each request."""
    return {"id": 42, "name": "Ann", "active": True, "tags": ["a", "b"]}


def image() -> bytes:
    """Return the 64 KiB of the static file."""
    return random.Random(11).randbytes(64 * 1024)


def static_folder() -> Path:
    """Return the folder that holds ``image.png``, which is made at the first use."""
    folder = _MADE / "static"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "image.png").exists():
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(image())
        # Whole or not at all: workers run side by side.
        Path(file.name).replace(folder / "image.png")
    return folder


class Tally:
    """Counts what a request passes, so that no hook is measured that did not run."""

    __slots__ = ("after", "before", "through")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.before = self.after = self.through = 0

    def counted(self) -> tuple[int, int, int]:
        return self.before, self.after, self.through


tally = Tally()


class Passes:
    """ASGI middleware that does nothing but pass the call on."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        tally.through += 1
        await self.app(scope, receive, send)


def wrapped(app: Any) -> Any:
    """Return *app* in the middlewares, for frameworks that register none of this kind."""
    for _ in range(HOOKS):
        app = Passes(app)
    return app
