"""Floor 5: messages that are shown once, on the next page that asks for them."""

from collections.abc import Collection
from typing import Any

from erlen.context import after_this_request, current
from erlen.signals import emit_now, message_flashed


def flash(message: str, category: str = "message") -> None:
    """Keep a message in the session for the next page that shows messages.

    Works in requests and, before the accept, in WebSockets. Sends the signal ``message_flashed``;
    its ``async`` receivers are awaited after the view.

    Args:
        message: Text or ``Markup``.
        category: For the page to choose by: ``"message"``, ``"error"``, ``"info"``, ``"warning"``.

    Raises:
        OutsideContextError: There is no exchange.
        RuntimeError: The application has no ``SECRET_KEY``.
        SessionClosedError: The response was begun or the WebSocket accepted.
    """
    context = current()
    session = context.session
    session["_flashes"] = [*session.get("_flashes", ()), (category, message)]
    waiting = emit_now(message_flashed, context.app, message=message, category=category)
    if not waiting:
        return

    @after_this_request
    async def settle(response: Any) -> Any:
        for each in waiting:
            await each
        return response


def get_flashed_messages(
    with_categories: bool = False, category_filter: Collection[str] = ()
) -> list[Any]:
    """Take the messages out of the session; the same exchange gets the same ones each time.

    Args:
        with_categories: Return pairs of category and message.
        category_filter: Return only these categories. The others are taken as well.

    Raises:
        OutsideContextError: There is no exchange.
        SessionClosedError: There are messages, and the response was begun or the WebSocket
            accepted, so that they could not be taken.
    """
    context = current()
    if context.flashes is None:
        session = context.session
        context.flashes = session.pop("_flashes") if "_flashes" in session else []
    flashes = context.flashes or []
    wanted = [pair for pair in flashes if not category_filter or pair[0] in category_filter]
    return wanted if with_categories else [message for _, message in wanted]
