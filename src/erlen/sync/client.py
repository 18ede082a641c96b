"""Floor 8: the test client for plain ``def`` tests."""

from typing import TYPE_CHECKING, Any  # noqa: TID251  # see below

from erlen.app import Erlen

if TYPE_CHECKING:  # the door opens late: an application that uses erlen.sync needs no test client
    from erlen.testing.blocking import BlockingClient


def test_client(app: Erlen, **options: Any) -> "BlockingClient":
    """Return a test client for plain ``def`` tests; the names are those of ``app.test_client()``.

    Args:
        app: The application.
        options: As for ``app.test_client()``, and ``backend``: ``"asyncio"`` or ``"trio"``.

    Raises:
        RuntimeError: An event loop runs in this thread; use ``app.test_client()`` there.
    """
    from erlen.testing.blocking import BlockingClient

    return BlockingClient(app, **options)


#: pytest must not take the function for a test where it is imported.
test_client.__test__ = False  # type: ignore[attr-defined]  # functions have no such attribute
