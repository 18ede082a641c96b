"""An application with templates, and one rendering in it."""

from pathlib import Path
from typing import Any

import jinja2

from erlen.app import Erlen
from erlen.templating import render_template_string


def make_app(**sources: str) -> Erlen:
    """Return an application whose templates are *sources*, each named ``<name>.html``."""
    app = Erlen("shop", template_folder=None)
    named = {f"{name}.html": source for name, source in sources.items()}
    app.jinja_options = {"loader": jinja2.DictLoader(named)}
    return app


def write(folder: Path, **sources: str) -> None:
    """Write templates into files."""
    folder.mkdir(exist_ok=True)
    for name, source in sources.items():
        (folder / f"{name}.html").write_text(source, encoding="utf-8")


async def render(app: Erlen, source: str, /, **context: Any) -> str:
    """Render *source* outside of a request."""
    async with app.app_context():
        return await render_template_string(source, **context)
