"""Floor 6: contexts that are entered by hand: scripts, shells, tests, background work."""

import inspect
from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any, Self

from erlen.callables import name_of
from erlen.context import Context, current_context
from erlen.exceptions import OutsideContextError
from erlen.pipeline.adapt import plain_of
from erlen.pipeline.announce import announce, announce_now, endings, heard
from erlen.pipeline.plan import Plan
from erlen.pipeline.teardown import conclude, tear_down
from erlen.protocols import Message, Scope
from erlen.signals import appcontext_pushed


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

    # --- with -------------------------------------------------------------------------------------

    def push(self) -> None:
        """Enter without ``with``; :meth:`pop` must follow.

        Raises:
            RuntimeError: A teardown hook is ``async def``, or a receiver of the signal.
        """
        self._plain_hooks()
        self._enter()
        try:
            if heard and len(self._tokens) == 1:
                announce_now(appcontext_pushed, self.context)
        except BaseException:
            self._leave()
            raise

    def pop(self, error: BaseException | None = None) -> None:
        """Leave; *error* is what the teardown hooks see.

        Raises:
            RuntimeError: This is not the innermost context, or a teardown hook is ``async def``.
        """
        self._check_innermost()
        try:
            if len(self._tokens) == 1:
                self._tear_down(error)
        finally:
            self._leave()

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

    def _plain_hooks(self) -> list[Callable[..., Any]]:
        hooks = [(hook, plain_of(hook)) for hook in self.context.line.teardown]
        for hook, plain in hooks:
            if plain is None:
                raise RuntimeError(
                    f"The teardown hook {name_of(hook)!r} is 'async def' and cannot run at the end "
                    "of a 'with'. Use 'async with' for this context."
                )
        return [plain for _, plain in hooks if plain is not None]

    def _tear_down(self, error: BaseException | None) -> None:
        self.context.error = error
        failures: list[Exception] = []
        try:
            for hook in self._plain_hooks():
                try:
                    _refuse_coroutine(hook, hook(error))
                except Exception as failure:  # noqa: BLE001  # the next ones must run too
                    failures.append(failure)
            for signal, values in endings(self.context.line.life, self.context) if heard else ():
                announce_now(signal, self.context, **values)
        finally:
            self.context.release()
        conclude(self.context, failures)

    # --- async with -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._enter()
        try:
            if len(self._tokens) == 1:
                await self._begin()
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._check_innermost()
        try:
            if len(self._tokens) == 1:
                self.context.error = error
                await tear_down(self.context.line, self.context)
        finally:
            self._leave()

    async def _begin(self) -> None:
        """Do what an exchange does before its hooks."""
        if heard:
            await announce(appcontext_pushed, self.context)
        sessions = self.context.line.sessions
        if self.context.scope is not None and sessions.is_eager:
            await sessions.open(self.context)

    # --- both -------------------------------------------------------------------------------------

    def _enter(self) -> None:
        self.context.ended = False
        self._tokens.append(current_context.set(self.context))

    def _leave(self) -> None:
        current_context.reset(self._tokens.pop())
        self.context.ended = not self._tokens

    def _check_innermost(self) -> None:
        if not self._tokens or current_context.get(None) is not self.context:
            raise RuntimeError(
                "A context was left that is not the innermost one. "
                "Leave contexts in the reverse order, best by 'with' or 'async with'."
            )


def _refuse_coroutine(hook: Callable[..., Any], result: Any) -> None:
    """Raise when a decorator hid that a hook is ``async def``."""
    if inspect.iscoroutine(result):
        result.close()
        raise RuntimeError(
            f"The teardown hook {name_of(hook)!r} returned a coroutine at the end of a 'with', "
            "which cannot await it. Use 'async with' for this context."
        )
