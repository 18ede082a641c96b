"""Floor 8: where to listen, and why that cannot be."""

import errno
import os
import socket
from urllib.parse import urlsplit

from erlen.serving.terminal import refuse

_BACKLOG = 2048


def choose(server_name: str | None, host: str | None, port: int | None) -> tuple[str, int]:
    """Fill what was not given from ``SERVER_NAME``, then from the defaults."""
    name = server_name or ""
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
    listener = new_listener(host)
    try:
        bind(listener, host, port)
    except SystemExit:
        listener.close()
        raise
    return listener


def new_listener(host: str | None) -> socket.socket:
    """Return a socket that listens nowhere yet; ``None`` is an IPv4 address to be chosen."""
    listener = socket.socket(family_of(host or ""), socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere it means that others may take the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return listener


def family_of(host: str) -> socket.AddressFamily:
    """Return the kind of address that *host* is; a name stands for IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def bind(listener: socket.socket, host: str, port: int) -> None:
    """Let a socket listen; end the program with one line when it cannot."""
    if not 0 <= port <= 65535:
        refuse(f"There is no port {port}. Choose one up to 65535, or 0 for any free one.")
    if listener.family is not family_of(host):
        refuse(f"SERVER_NAME has the IPv6 address {host}. With --reload give it by --host, too.")
    try:
        if listener.family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:  # UnicodeError: the host cannot be a name
        refuse(reason(error, host, port))


def is_bound(listener: socket.socket) -> bool:
    """Whether a socket has an address, which any process may have given it that has the socket."""
    try:
        return bool(listener.getsockname()[1])
    except OSError:  # Windows' word for no
        return False


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


def start_line(what: str, listener: socket.socket, *, tls: bool) -> str:
    """Return the line that tells the address of what is served."""
    host, port = listener.getsockname()[:2]
    if ":" in host:
        host = f"[{host}]"
    scheme = "https" if tls else "http"
    return f" * Serving {what} at {scheme}://{host}:{port} (Press CTRL+C to stop)"
