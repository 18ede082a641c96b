"""Floor 6: the folders beside the code of an application or a blueprint."""

import functools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any  # noqa: TID251  # the loader's type; Jinja2 loads late

from erlen.config import as_timedelta
from erlen.context import current
from erlen.exceptions import SetupError
from erlen.exchange.response import Response

if TYPE_CHECKING:
    from jinja2 import BaseLoader

#: The folder that an application has without asking; it need not exist.
DEFAULT_STATIC_FOLDER = "static"


@functools.cache
def _static_sender() -> Callable[[Any, str], Awaitable[Response]]:
    """Return what serves static files, loaded when there is a request for one."""
    # PERF: the statement takes 0.8 µs each time, even when all is loaded.
    from erlen.files.static import send_static

    return send_static


class Folders:
    """What an application and a blueprint have on disk.

    Attributes:
        root_path: Folder of the code; what follows is relative to it.
        static_folder: Absolute, ``None`` for none.
        template_folder: As given, ``None`` for none.
    """

    name: str
    root_path: str
    static_folder: str | None = None
    template_folder: str | None = None
    _jinja_loader: "BaseLoader | None" = None
    _static_url_path: str | None = None

    def set_static_folder(self, folder: str | None, url_path: str | None) -> None:
        """Note where static files lie and below which path they are served.

        Raises:
            SetupError: The folder does not exist, or the code lies in it.
        """
        self._static_url_path = None if url_path is None else url_path.rstrip("/")
        if folder is None:
            return
        path = Path(self.root_path, folder).absolute()
        if folder != DEFAULT_STATIC_FOLDER and not path.is_dir():
            raise SetupError(
                f"The static folder {folder!r} is {path}, which is no folder. "
                "Create it first, or give static_folder=None."
            )
        # SAFETY: '..' or '.' would publish the source and all that lies beside it.
        if Path(self.root_path).resolve().is_relative_to(path.resolve()):
            raise SetupError(
                f"The static folder {folder!r} is {path}, in which the code lies, so that the "
                "source could be read by anyone. Give a folder that holds static files only."
            )
        self.static_folder = str(path)

    @property
    def has_static_folder(self) -> bool:
        """Whether there is a folder of static files."""
        return self.static_folder is not None

    @property
    def static_url_path(self) -> str | None:
        """Path below which static files are served, ``/`` and the folder's name unless given."""
        if self._static_url_path is not None:
            return self._static_url_path
        return None if self.static_folder is None else f"/{Path(self.static_folder).name}"

    def get_send_file_max_age(self, filename: str | None) -> int | None:  # noqa: ARG002  # overridden
        """Return the seconds that *filename* may be kept; override to decide by its name."""
        lifetime: timedelta | float | None = current().app.config["SEND_FILE_MAX_AGE_DEFAULT"]
        return None if lifetime is None else int(as_timedelta(lifetime).total_seconds())

    async def send_static_file(self, filename: str) -> Response:
        """Answer with a file of the static folder; 404 for what is not one."""
        return await _static_sender()(self, filename)

    @property
    def jinja_loader(self) -> "BaseLoader | None":
        """Seat: what finds templates; that of :attr:`template_folder` unless one is assigned."""
        from erlen.templating import folder_loader

        if self._jinja_loader is None:
            self._jinja_loader = folder_loader(self)
        return self._jinja_loader

    @jinja_loader.setter
    def jinja_loader(self, loader: "BaseLoader | None") -> None:
        self._jinja_loader = loader

    def open_resource(self, path: str, mode: str = "rb", encoding: str | None = None) -> IO[Any]:
        """Open a file below the root path for reading; it blocks, so use it at startup.

        Raises:
            ValueError: *mode* writes.
        """
        if mode not in {"r", "rt", "rb"}:
            raise ValueError(
                f"Resources are only read, not opened with mode {mode!r}. Use 'r' or 'rb'."
            )
        encoding = encoding if "b" in mode else encoding or "utf-8"
        return Path(self.root_path, path).open(mode, encoding=encoding)
