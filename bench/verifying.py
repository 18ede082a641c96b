"""Compares the answers of an application with the expected ones, before it is measured."""

from typing import Any

from bench.driving import Template, ask, talk
from bench.peers.content import CHUNKS, tally
from bench.scenarios import Answer, Field, Scenario


async def touch(app: Any, scenario: Scenario) -> None:
    """Send one request, whatever the answer: some applications are made at their first one."""
    request = Template(scenario.first or scenario.asks[0])
    if scenario.messages:
        await talk(app, request, 1)
    else:
        await ask(app, request)


async def carried(app: Any, scenario: Scenario) -> tuple[Field, ...]:
    """Return the header fields that the answer to the first request adds to all others."""
    if scenario.first is None:
        return ()
    answer, _ = await ask(app, Template(scenario.first))
    return scenario.carry(answer)


async def verify(
    app: Any, scenario: Scenario, requests: list[Template], fields: tuple[Field, ...]
) -> None:
    """Send the first, the last and one request between, and compare; *fields* were carried.

    Raises:
        AssertionError: What was answered, and what was expected.
    """
    if scenario.messages:
        await _verify_talk(app, requests[0])
        return
    for number in {0, len(requests) // 2, len(requests) - 1}:
        tally.clear()
        answer, messages = await ask(app, requests[number])
        _compare(scenario, number, answer)
        if tally.counted() != scenario.hooks:
            raise AssertionError(f"It passed hooks {tally.counted()}, expected {scenario.hooks}.")
        if scenario.app == "stream" and messages < CHUNKS:
            raise AssertionError(f"The stream came in {messages} messages.")
    if scenario.then:
        request, is_right = scenario.then(fields, answer)
        answer, _ = await ask(app, Template(request))
        if not is_right(answer.body):
            raise AssertionError(f"{request.path} with {request.fields} got {answer.body!r:.300}.")


def _compare(scenario: Scenario, number: int, answer: Answer) -> None:
    asked = scenario.asks[number]
    kind = answer.field(b"content-type") if scenario.content_type else None
    found: list[Any] = [answer.status, kind]
    wanted: list[Any] = [scenario.status, scenario.content_type]
    if found != wanted:
        raise AssertionError(f"{asked.path} got {found} {answer.body!r:.300}, expected {wanted}.")
    length = answer.field(b"content-length")
    if length and scenario.status == 200 and int(length) != len(answer.body):
        raise AssertionError(f"{asked.path} announced {length} bytes, sent {len(answer.body)}.")
    if scenario.body:
        body, expected = scenario.read(answer.body), scenario.body(asked)
        if body != expected:
            raise AssertionError(f"{asked.path} got {body!r:.300}, expected {expected!r:.300}.")


async def _verify_talk(app: Any, request: Template) -> None:
    got, expected = await talk(app, request, 20), [f"message {number}" for number in range(20)]
    if got != expected:
        raise AssertionError(f"The WebSocket sent {got}, expected {expected}.")
