"""Floor 8: the test client for plain ``def`` tests: every call goes through one blocking portal.

There is no second implementation here. :class:`_Blocking` stands before an object of the
asynchronous client; what it returns is waited for, entered or iterated in the portal's loop.
"""

from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from erlen.protocols import ASGIApp
from erlen.sessions import SessionMixin
from erlen.testing.client import Client

__all__ = ["BlockingClient"]


class _Blocking:
    """The names of *target*, blocking.

    What httpx spells with an ``a`` in front (``aread``, ``aiter_lines``) is found under the plain
    name.
    """

    def __init__(self, target: Any, portal: BlockingPortal) -> None:
        self._target = target
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, f"a{name}", None) or getattr(self._target, name)
        if not callable(value):
            return value

        def call(*args: Any, **options: Any) -> Any:
            return self._settle(value(*args, **options))

        return call

    def __iter__(self) -> Iterator[Any]:
        return self._iterate(self._target)

    def _settle(self, result: Any) -> Any:
        if isinstance(result, AbstractAsyncContextManager):
            return self._entered(result)
        if isinstance(result, Awaitable):
            return self._portal.call(_awaited, result)
        if isinstance(result, AsyncIterator):
            return self._iterate(result)
        return result

    @contextmanager
    def _entered(self, manager: AbstractAsyncContextManager[Any]) -> Iterator[Any]:
        with self._portal.wrap_async_context_manager(manager) as entered:
            yield _Blocking(entered, self._portal)

    def _iterate(self, source: Any) -> Iterator[Any]:
        iterator = aiter(source)
        end = object()
        while (item := self._portal.call(anext, iterator, end)) is not end:
            yield item


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class BlockingClient(_Blocking):
    """:class:`~erlen.testing.client.Client` for tests that are plain functions.

    Example::

        with BlockingClient(app) as client:
            assert client.get("/").status_code == 200

    The application runs in a loop of its own in another thread, entered with the block. Verbs
    return the same responses; what ``stream`` and ``websocket`` give blocks likewise.
    """

    def __init__(
        self,
        app: ASGIApp,
        backend: str = "asyncio",
        backend_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Bind the client to *app*.

        Args:
            app: An ASGI 3 callable.
            backend: ``"asyncio"`` or ``"trio"``.
            backend_options: What anyio takes for the backend.
            options: What :class:`Client` takes.
        """
        self._backend = (backend, backend_options)
        self._target = Client(app, **options)
        self._stack: ExitStack | None = None

    def __getattr__(self, name: str) -> Any:
        """Return the blocking form of the client's attribute."""
        self._check_entered(name)
        return super().__getattr__(name)

    @contextmanager
    def session_transaction(self, *args: Any, **options: Any) -> Iterator[SessionMixin]:
        """:meth:`Client.session_transaction` for a ``with`` block, which has the session itself."""
        self._check_entered("session_transaction")
        transaction = self._target.session_transaction(*args, **options)
        with self._portal.wrap_async_context_manager(transaction) as session:
            yield session

    def _check_entered(self, name: str) -> None:
        if self._stack is None:
            raise RuntimeError(
                f"'{name}' of the blocking test client was used outside of its block. "
                "Write 'with test_client(app) as client:' around the requests."
            )

    def __enter__(self) -> Self:
        """Start the loop, and run the application's startup in it."""
        _refuse_running_loop()
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal(*self._backend))
            stack.enter_context(self._portal.wrap_async_context_manager(self._target))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Run the application's shutdown, and end the loop."""
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.__exit__(exc_type, exc_value, traceback)


def _refuse_running_loop() -> None:
    try:
        anyio.get_current_task()
    except RuntimeError:
        return
    raise RuntimeError(
        "The blocking test client was used inside a running event loop, which it would stop. "
        "Write 'async with app.test_client() as client:' in asynchronous tests."
    )
