"""Floor 8: where to listen, and why that cannot be."""

import errno
import socket
from urllib.parse import urlsplit

from erlen.app import Erlen
from erlen.serving.terminal import refuse


def choose(app: Erlen, host: str | None, port: int | None) -> tuple[str, int]:
    """Fill what was not given from ``SERVER_NAME``, then from the defaults."""
    name = app.config["SERVER_NAME"] or ""
    try:
        configured = urlsplit(f"//{name}")
        configured_port = configured.port
    except ValueError as error:
        refuse(f"SERVER_NAME is {name!r}: {error}. Write it as 'host' or 'host:port'.")
    if port is None:
        port = 5000 if configured_port is None else configured_port
    return host or configured.hostname or "127.0.0.1", port


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; end the program with one line when there can be none."""
    if not 0 <= port <= 65535:
        refuse(f"There is no port {port}. Choose one up to 65535, or 0 for any free one.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:  # UnicodeError: the host cannot be a name
        refuse(reason(error, host, port))


def reason(error: OSError | UnicodeError, host: str, port: int) -> str:
    """Say why nothing can listen there, and what to do."""
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use by another program. "
            "Stop that program, or choose another port (0 for any free one)."
        )
    if number == errno.EACCES:
        return f"Port {port} of {host} needs administrator rights. Choose a port from 1024 upwards."
    return (
        f"Nothing can listen on port {port} of {host!r}: {error}. "
        "Choose an address of this machine, for example 127.0.0.1."
    )


def start_line(name: str, listener: socket.socket, *, tls: bool) -> str:
    """Return the line that tells the application's address."""
    host, port = listener.getsockname()[:2]
    if ":" in host:
        host = f"[{host}]"
    scheme = "https" if tls else "http"
    return f" * Serving erlen app {name!r} at {scheme}://{host}:{port} (Press CTRL+C to stop)"
