"""Floor 5: files as responses: sent by a view, from a folder, or as static files."""

from erlen.files.sending import send_file, send_from_directory
from erlen.files.static import add_version, send_static, version_of

__all__ = ["add_version", "send_file", "send_from_directory", "send_static", "version_of"]
