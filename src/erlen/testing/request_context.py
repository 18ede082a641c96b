"""Floor 8: the request of ``app.test_request_context``: its scope and body, as the client's."""

from typing import Any, Unpack
from urllib.parse import unquote, urlsplit

from erlen.testing.arguments import BuildOptions
from erlen.testing.client import Client
from erlen.testing.scopes import http_scope

__all__ = ["request_scope"]


def request_scope(
    app: Any,
    path: str = "/",
    *,
    method: str = "GET",
    subdomain: str | None = None,
    **options: Unpack[BuildOptions],
) -> tuple[dict[str, Any], bytes]:
    """Return the ASGI scope and the whole body of a request that is not sent.

    Args:
        app: The application; ``SERVER_NAME``, ``APPLICATION_ROOT`` and ``PREFERRED_URL_SCHEME``
            of its configuration say where the request arrives.
        path: Path with query, or a whole URL.
        method: Request method.
        subdomain: Put before the host.
        options: As for the test client's requests; a body must not be an asynchronous stream.

    Raises:
        ValueError, TypeError: The options contradict one another.
    """
    config = app.config
    host = config["SERVER_NAME"] or "localhost"
    host = f"{subdomain}.{host}" if subdomain else host
    here = f"{config['PREFERRED_URL_SCHEME']}://{host}{config['APPLICATION_ROOT']}"
    base_url = str(options.pop("base_url", here))
    root_path = unquote(urlsplit(base_url).path).rstrip("/")
    client = Client(app, base_url=base_url, root_path=root_path)
    request = client.build_request(method, path, **options)
    scope = http_scope(request, root_path=root_path, client=("127.0.0.1", 50000), state=None)
    return scope, request.read()
