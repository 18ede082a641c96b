"""Floor 5: files as responses: sent by a view, from a folder, or as static files."""

from typing import TYPE_CHECKING  # noqa: TID251  # see below

from erlen.exporting import exporting

if TYPE_CHECKING:  # PERF: loaded when they are asked for
    from erlen.files.sending import send_file, send_from_directory
    from erlen.files.static import add_version, send_static, version_of
else:
    __getattr__ = exporting(
        __name__,
        {
            "erlen.files.sending": "send_file send_from_directory",
            "erlen.files.static": "add_version send_static version_of",
        },
    )

__all__ = ["add_version", "send_file", "send_from_directory", "send_static", "version_of"]
