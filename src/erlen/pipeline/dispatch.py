"""Floor 6: the whole life of an exchange, HTTP and WebSocket alike. Read this file first.

scope → match → context → before hooks → view → coerce → after hooks → send → teardown

``serve`` is all of it for HTTP: one context, one response, one teardown. What happens inside is for
a WebSocket ``run``.
"""

import inspect
from typing import Any

from erlen.callables import name_of
from erlen.context import Context, current_context
from erlen.exceptions import ClientDisconnected, WebSocketDisconnect
from erlen.exchange.children import NO_CHILDREN
from erlen.exchange.outgoing import raise_departure
from erlen.exchange.response import Response, send_known
from erlen.pipeline.adapt import adapt
from erlen.pipeline.announce import announce, announce_start, heard
from erlen.pipeline.endings import end_websocket
from erlen.pipeline.going_away import until_shutdown
from erlen.pipeline.lifespan import serve_lifespan
from erlen.pipeline.plan import Pipeline, Plan
from erlen.pipeline.recovery import log_leaving, recover
from erlen.pipeline.teardown import tear_down
from erlen.protocols import Receive, Scope, Send
from erlen.routing.rule import Rule

#: PERF: 0.1 us less for each exchange than to look the methods up (CPython 3.11).
_set, _reset = current_context.set, current_context.reset


async def serve(  # noqa: C901, PLR0912, PLR0915  # PERF: each coroutine more takes 0.12 us
    plan: Plan, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve one ASGI scope, from its first message to the teardown.

    Raises:
        ValueError: The scope is of a type that ASGI does not have; the server's fault.
    """
    kind = scope["type"]
    if kind != "http" and kind != "websocket":  # noqa: PLR1714  # PERF: no set for each request
        return await serve_lifespan(plan, scope, receive, send)
    context = plan.open(scope, receive, send)
    line: Pipeline = context.line
    token = _set(context)
    known = response = None
    try:
        if line.is_websocket:
            await end_websocket(context, await until_shutdown(context, run(line, context)))
        else:
            # PERF: run() without its coroutine. A known body is sent without a response object when
            # nobody would see it. Both together are 0.45 us less.
            outcome: Response | None = None
            source: Rule | str | None = "A before hook"
            try:
                if heard:
                    await announce_start(line.life, context)
                value = None
                if line.has_before:
                    value = await call_before(line, context)
                elif line.check is not None:
                    line.check(context)
                if value is None and not context.started:
                    source, view, view_args = context.rule, line.view, context.view_args
                    value = await (view(**view_args) if view_args else view())
                is_seen = line.after or context.is_engaged or heard
                if value is None or context.children is not None:
                    outcome = await outcome_of(line, context, value, source)
                elif is_seen or (known := line.coerce.known(value)) is None:
                    outcome = line.coerce.respond(value, source)
            except Exception as error:  # noqa: BLE001  # as in run()
                outcome = await answer(line, context, error)
            if line.after or context.is_engaged or heard:
                if known is not None:  # what was written as JSON has opened the session, say
                    outcome, known = line.coerce.whole(*known), None
                response = await finish(line, context, outcome)
            else:
                response = outcome
        if known is not None:
            context.answering = True
            await send_known(context, *known)
        elif response is not None:
            context.answering = True
            context.children = None  # the view's have ended; a streamed body may have its own
            await response.send(context)
    except BaseException as error:
        if not await is_settled(line, context, error, response):
            raise
    finally:
        try:
            if line.teardown or heard or (context.may_hold and context.holds()):
                await tear_down(line, context)
            elif context.worker is not None:
                context.release()
        finally:
            context.ended = True
            context.error = None  # by its traceback it holds all of this until a collection
            if context.opened_exchange is not None:
                context.opened_exchange.let_go()
            if context.routing_exception is not None:
                context.routing_exception.__traceback__ = None  # it leads back to this context
            _reset(token)
    return None


async def is_settled(
    line: Pipeline, context: Context, error: BaseException, response: Response | None = None
) -> bool:
    """Whether the server need not hear of what has left the exchange.

    What has failed before the first byte of *response* is answered like a failing view.
    """
    is_left = isinstance(error, ClientDisconnected | WebSocketDisconnect)
    can_answer = response is not None and not context.started and not is_left
    if can_answer and isinstance(error, Exception):
        try:
            await answer_instead(line, context, error)
        except BaseException as another:
            if not await is_settled(line, context, another):
                raise
        return True
    context.error = error
    if isinstance(error, Exception) and not is_left:
        log_leaving(context, error)
    return is_left


async def answer_instead(line: Pipeline, context: Context, error: Exception) -> None:
    """Send the response to the failure of a response."""
    await context.end_children()
    other = await finish(line, context, await recover(line, context, error))
    assert other is not None
    context.children = None
    await other.send(context)


async def run(line: Pipeline, context: Context) -> Response | None:
    """Run hooks and view of a WebSocket and return the response, if it is refused by one.

    Errors become responses by the handlers. What leaves here is the client's disconnect, and in
    tests and debug mode an error that nothing handled.
    """
    try:
        if heard:
            await announce_start(line.life, context)
        source: Rule | str | None = "A before hook"
        value = await call_before(line, context) if line.has_before else None
        if value is None:
            source = context.rule
            value = await line.view(**(context.view_args or {}))
        outcome = await outcome_of(line, context, value, source)
    except Exception as error:  # noqa: BLE001  # here and in serve() errors of views end
        outcome = await answer(line, context, error)
    if line.after or context.is_engaged or heard:
        return await finish(line, context, outcome)
    return outcome


async def outcome_of(
    line: Pipeline, context: Context, value: Any, source: Rule | str | None
) -> Response | None:
    """Return the response that *value* stands for, once what the view has started has ended."""
    if context.children is not None:
        await join_children(context, value)
    if value is not None or not (line.is_websocket or context.started):
        return line.coerce.respond(value, source)
    check_whole(context)
    return None


async def answer(line: Pipeline, context: Context, error: Exception) -> Response | None:
    """Return the answer to what hooks or view have raised, as long as one can be sent."""
    try:
        if isinstance(error, ClientDisconnected | WebSocketDisconnect):
            raise error
        await context.end_children()
        if context.started:
            raise_departure(error)
            raise error  # the connection must break: a short body must not look whole
        return await recover(line, context, error)
    finally:
        del error  # a traceback that names itself would hold the exchange until it is collected


async def join_children(context: Context, value: Any) -> None:
    """Wait for what the view has started; the response that it returned is given up if that fails.

    What is given up is closed: what it holds must not wait for a collection.
    """
    assert context.children is not None
    try:
        await context.children.join()
    except BaseException as error:
        if isinstance(value, Response) and not isinstance(error, GeneratorExit):
            await value.give_up(context)
        raise


async def what_is_left(context: Context, outcome: Response | None) -> Response | None:
    """Return the response of a view that may have sent one; a second one is given up."""
    if outcome is None or not context.started:
        return outcome
    await outcome.give_up(context)
    raise RuntimeError(
        f"The view of {context.rule!r} has sent its response by stream() and then returned "
        f"{outcome!r}, which has nowhere to go. Return nothing after 'async with stream()'."
    )


def check_whole(context: Context) -> None:
    """Raise what has broken a response that the view has sent, if the view has caught it."""
    if context.error is not None:
        raise context.error


async def finish(line: Pipeline, context: Context, outcome: Response | None) -> Response | None:
    """Do what follows the view; what fails is answered, and nothing is called again."""
    if context.pushed:
        return await what_is_left(context, outcome)
    context.children = NO_CHILDREN
    try:
        return await follow(line, context, outcome)
    except BaseException as error:
        if outcome is not None and not isinstance(error, GeneratorExit):
            await outcome.give_up(context)
        if not isinstance(error, Exception):
            raise
        return await recover(line, context, error)


async def follow(line: Pipeline, context: Context, outcome: Response | None) -> Response | None:
    """Pass the outcome through the after hooks, save the session, and tell who listens.

    The hooks of this exchange come first.
    """
    hooks = line.after if not context.after_this else (*map(adapt, context.after_this), *line.after)
    for function in hooks:
        outcome = await function(outcome)
        if not isinstance(outcome, Response) and not (outcome is None and line.is_websocket):
            raise TypeError(
                f"The after hook {name_of(function)!r} returned {outcome!r}. "
                "Return the response that it was given, or another."
            )
    if context.opened_session is not None and outcome is not None:
        await line.sessions.save(context, outcome)
    if heard:
        await announce(line.life.finished, context, response=outcome)
    return outcome


async def call_before(line: Pipeline, context: Context) -> Any:
    """Run checks, preprocessors and before hooks; return what the first hook answers, if any."""
    if line.check is not None:
        line.check(context)
    for guard in line.guards:
        await guard(context)
    for prepare in line.prepare:
        done = prepare(context.exchange.endpoint, context.view_args)
        if inspect.isawaitable(done):
            await done
    for before in line.before:
        if (value := await before()) is not None:
            return value
    return None
