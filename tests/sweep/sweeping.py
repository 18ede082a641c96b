"""The sweep: a scenario runs again and again, and at its n-th wait something ends it, for every n."""

from dataclasses import dataclass, field

import anyio
from anyio.lowlevel import checkpoint

from erlen import Erlen, has_request_context, has_websocket_context
from erlen.testing.conduct import ConductChecker
from tests.sweep.leaks import Watch
from tests.sweep.notes import Notes
from tests.sweep.rousing import backend
from tests.sweep.scenario import Scenario, Stage, scope_of
from tests.sweep.server import Server
from tests.sweep.trial import Trial, Way

#: Runs that must come through undisturbed before a scenario with threads counts as swept.
REPEATS = 3
#: Waits after which a scenario counts as endless.
MOST = 1000
#: Failed points that one message tells of.
SHOWN = 8


class SweepError(AssertionError):
    """What a sweep has found."""


@dataclass
class Swept:
    """What a sweep has done.

    Attributes:
        points: Waits at which the scenario was ended.
        runs: How often it ran.
        failures: What went wrong, and where.
    """

    points: int = 0
    runs: int = 0
    failures: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raise what went wrong."""
        if self.failures:
            more = len(self.failures) - SHOWN
            rest = [f"... and {more} more"] if more > 0 else []
            raise SweepError("\n".join([*self.failures[:SHOWN], *rest]))


class Sweep:
    """One scenario, ended in one way at each of its waits."""

    def __init__(self, scenario: Scenario, stage: Stage, way: Way) -> None:
        """The scenario is declared on *stage* here."""
        self._scenario = scenario
        self._notes = stage.notes
        self._app = stage.app
        self._way = way
        self._swept = Swept()
        self._answer: tuple[object, ...] = ()
        self._is_hung = False
        self._cleanups = 0
        observe(stage.app, stage.notes)
        scenario.declare(stage)
        self._checked = ConductChecker(stage.app)

    async def run(self, *, pairs: bool = False) -> Swept:
        """Sweep; with *pairs* again at each wait for each cleanup, which fails."""
        if not await self._rehearse():
            return self._swept
        at, quiet = 1, 0
        needed = REPEATS if self._scenario.uses_threads else 1
        while quiet < needed and at < MOST and not self._is_hung:
            if not await self._run_once(at):
                quiet += 1
                continue
            if self._way is Way.TWICE:
                await self._run_twice(at)
            elif pairs:
                await self._run_pairs(at)
            at, quiet = at + 1, 0
        self._swept.points = at - 1
        return self._swept

    async def _run_pairs(self, at: int) -> None:
        failing = 1
        while failing <= self._cleanups and not self._is_hung:
            await self._run_once(at, failing)
            failing += 1

    async def _run_twice(self, at: int) -> None:
        again = at + 1
        while not self._is_hung and await self._run_once(at, again=again):
            again += 1

    async def _rehearse(self) -> bool:
        """Run undisturbed: what comes is the answer that every complete run must give."""
        trial = await self._trial(0)
        self._answer = trial.server.answer
        is_right = not trial.problems and self._answer[0] == self._scenario.begins_with
        if not is_right:
            self._swept.failures.append(
                f"{self._scenario.name}: undisturbed on {backend()}, "
                f"{self._answer!r:.100}: {'; '.join(trial.problems)}"
            )
        return is_right

    async def _run_once(self, at: int, failing: int = 0, again: int = 0) -> bool:
        """Run with a strike at the wait *at*; return whether all strikes came."""
        trial = await self._trial(at, failing, again)
        self._swept.runs += 1
        self._is_hung = trial.is_hung
        if trial.problems:
            pair = (
                f" and cleanup {failing} failing" if failing else f" and {again}" if again else ""
            )
            self._swept.failures.append(
                f"{self._scenario.name}: {self._way.value} at wait {at}{pair} on {backend()}, "
                f"{trial.stepping.place}: {'; '.join(trial.problems)}"
            )
        return trial.stepping.has_struck_again if again else trial.has_struck

    async def _trial(self, at: int, failing: int = 0, again: int = 0) -> Trial:
        self._notes.begin(failing)
        for kind in () if self._scenario.kind == "lifespan" else ("exchange", "context"):
            self._notes.expect(f"the teardown of the {kind}")
        trial = Trial(self._checked, self._app, self._scenario, self._way, at, again)
        trial.may_raise = bool(failing)
        watch = Watch(self._app)
        with watch.watching():
            await trial.run()
            trial.problems += await watch.complaints()
        self._app.shutting_down.clear()
        trial.problems += self._notes.complaints()
        if not (failing or self._scenario.may_log):
            trial.problems += [f"logged: {text}" for text in watch.log]
        differs = self._scenario.varies or self._way is Way.SHUTDOWN or failing
        if at and trial.server.is_complete and not (differs or trial.server.answer == self._answer):
            trial.problems.append(f"{trial.server.answer!r:.100} looks whole, but is not")
        self._cleanups = self._notes.cleanups
        self._notes.begin()
        if self._scenario.kind != "lifespan" and not await serves_well(self._checked):
            trial.problems.append("the next request is not served well")
        return trial


def observe(app: Erlen, notes: Notes) -> None:
    """Have *app* note its teardowns, and answer who asks whether it is well."""

    async def end_exchange(_error: BaseException | None) -> None:
        notes.done("the teardown of the exchange")
        await checkpoint()
        notes.clean_up()

    async def end_context(_error: BaseException | None) -> None:
        if has_request_context() or has_websocket_context():  # a background task has one, too
            notes.done("the teardown of the context")
            await checkpoint()

    app.teardown_request(end_exchange)
    app.teardown_websocket(end_exchange)
    app.teardown_appcontext(end_context)

    @app.get("/is-well")
    async def is_well() -> str:
        return "well"


async def serves_well(app: ConductChecker) -> bool:
    """Whether an ordinary request gets its ordinary answer."""
    server = Server([])
    with anyio.fail_after(10):
        await app({**scope_of("http", "/is-well"), "method": "GET"}, server.receive, server.send)
    return server.answer == (200, b"well")
