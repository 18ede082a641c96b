"""Floor 6: contexts that are entered by hand: scripts, shells, tests, background work."""

import inspect
from contextvars import Token
from types import TracebackType
from typing import Self

from erlen.context import Context, current_context
from erlen.exceptions import OutsideContextError
from erlen.pipeline.dispatch import tear_down
from erlen.pipeline.plan import Plan
from erlen.protocols import Message, Scope


class ManualContext:
    """A context for ``with`` and ``async with``; may be entered again while it is entered.

    Teardown hooks run when it is left for the last time. ``with`` can run ``def`` hooks only, in
    the thread that uses it; ``async with`` runs both kinds as an exchange does.

    Attributes:
        context: What the proxies see.
    """

    def __init__(self, context: Context) -> None:
        """Nothing is entered yet."""
        self.context = context
        self._tokens: list[Token[Context]] = []

    @classmethod
    def outside(cls, plan: Plan) -> Self:
        """Return an application context."""
        return cls(Context(plan.app, plan.outside))

    @classmethod
    def inside(cls, plan: Plan, scope: Scope, body: bytes) -> Self:
        """Return the context of a request that is not served, with *body* as its only message."""
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            raise OutsideContextError(
                f"{message['type']!r} was sent in a test_request_context, which nobody reads. "
                "Use the test client to serve a request."
            )

        return cls(plan.open(scope, receive, send))

    def push(self) -> None:
        """Enter without ``with``; :meth:`pop` must follow."""
        self._tokens.append(current_context.set(self.context))

    def pop(self, error: BaseException | None = None) -> None:
        """Leave; *error* is what the teardown hooks see.

        Raises:
            RuntimeError: Another context was entered after this one and is still there, or a
                teardown hook is ``async def``.
        """
        self._check_top()
        try:
            if len(self._tokens) == 1:
                self._tear_down(error)
        finally:
            current_context.reset(self._tokens.pop())

    def _check_top(self) -> None:
        if not self._tokens or current_context.get(None) is not self.context:
            raise RuntimeError(
                "A context was left that is not the innermost one. "
                "Leave contexts in the reverse order, best by 'with' or 'async with'."
            )

    def _tear_down(self, error: BaseException | None) -> None:
        for hook in self.context.line.teardown:
            plain = inspect.unwrap(hook)
            if inspect.iscoroutinefunction(plain):
                raise RuntimeError(
                    f"The teardown hook {plain.__qualname__!r} is 'async def' and cannot run at the "
                    "end of a 'with'. Use 'async with' for this context."
                )
            plain(error)

    def __enter__(self) -> Self:
        self.push()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.pop(error)

    async def __aenter__(self) -> Self:
        self.push()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._check_top()
        try:
            if len(self._tokens) == 1:
                self.context.error = error
                await tear_down(self.context.line, self.context)
        finally:
            current_context.reset(self._tokens.pop())
