"""Floor 8: an application at work in a child task beside the test, for the length of one block.

Only :meth:`Running.leave` ends such a task: it runs shielded, so a test that is cancelled still
leaves as a client does and the application still gets its grace.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import anyio

from erlen.exceptions import WebSocketDisconnect
from erlen.testing.conduct import ConductError
from erlen.testing.deadlines import GRACE, DeadlineExceeded

__all__ = ["ClientGone", "Company", "Running"]


class ClientGone(OSError):
    """What ``send`` raises in the application after its client has left (ASGI 2.4)."""

    def __init__(self) -> None:
        """The sentence is always the same."""
        super().__init__("The test client has left, so nothing can be sent to it.")


class Running:
    """One call of an application in a child task.

    Attributes:
        ended: Set when the call is over.
        error: What the call raised, ``None`` when nothing; a failing ``send`` after the client has
            left is nothing.
    """

    def __init__(
        self,
        call: Callable[[], Awaitable[None]],
        *,
        at_end: Callable[[], None],
        hang_up: Callable[[], bool],
        describe: Callable[[], str],
        seconds: float | None,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            call: Runs the application.
            at_end: Called in the child task when the application is over.
            hang_up: Makes the client leave; returns whether the exchange was complete before.
            describe: Says what the application was called for.
            seconds: How long it may work on after a complete exchange.
        """
        self._call = call
        self._at_end = at_end
        self._hang_up = hang_up
        self._describe = describe
        self.seconds = seconds
        self._scope = anyio.CancelScope(shield=True)
        self.ended = anyio.Event()
        self.error: BaseException | None = None
        self.reported = False

    async def run(self) -> None:
        """The child task."""
        try:
            with self._scope:
                await self._call()
        except ClientGone:
            pass
        except BaseException as error:  # noqa: BLE001  # raised in the test, not in this task
            self.error = error
        finally:
            self._at_end()
            self.ended.set()

    async def leave(self, *, hurried: bool = False) -> None:
        """Leave as a client does; return when the application is over.

        Args:
            hurried: The test has failed or was cancelled: never wait longer than the grace.
        """
        complete = self._hang_up()
        patience = self.seconds if complete and not hurried else GRACE
        overdue = False
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(patience) as waiting:
                await self.ended.wait()
            if waiting.cancelled_caught:
                overdue = True
                self._scope.cancel()
                await self.ended.wait()
        if overdue and complete and not hurried:
            raise DeadlineExceeded(
                patience or 0, f"the application to return from {self._describe()}"
            )


class Company:
    """The block in which applications run beside the test.

    What the block raises leaves it unwrapped. What an application raised leaves it too, when
    *raises* says so and the block itself did not fail.
    """

    def __init__(self, raises: Callable[[], bool]) -> None:
        """*raises* is asked when an application has failed."""
        self._raises = raises
        self._members: list[Running] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        return self

    def start(self, member: Running) -> None:
        """Run *member* until the block is left, at the longest."""
        self._members.append(member)
        self._tasks.start_soon(member.run)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        late: DeadlineExceeded | None = None
        for member in self._members:
            try:
                await member.leave(hurried=exc is not None)
            except DeadlineExceeded as error:
                late = late or error
        await self._stack.aclose()
        for member in self._members:
            self.report(member, instead_of=exc)
        if late is not None:
            raise late

    def report(self, member: Running, *, instead_of: BaseException | None = None) -> None:
        """Raise what *member* raised, once, unless the test already fails for another reason."""
        error = member.error
        if error is None or error is instead_of or member.reported:
            return
        if not (isinstance(error, ConductError) or self._raises()):
            return
        member.reported = True
        # A WebSocketDisconnect in the test is only what the failure looks like from the far side.
        if instead_of is None or isinstance(instead_of, WebSocketDisconnect):
            raise error
        instead_of.add_note(f"The application raised, too: {error!r}")
