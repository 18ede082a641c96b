"""Sessions: in the cookie, in a store that is awaited, in a store that blocks."""

from typing import Any

from erlen import session
from tests.sessions.test_server_side import PlainInterface, StoreInterface
from tests.sweep.scenario import Collection, Stage

sessions = Collection()


@sessions.http("session that is read")
def declare_read(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> dict[str, Any]:
        return dict(session)


@sessions.http("session that is written")
def declare_written(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        session["n"] = 1
        return "written"


@sessions.http("session that is regenerated")
def declare_regenerated(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        session["n"] = 1
        session.regenerate()
        return "regenerated"


@sessions.http("session of a store that is awaited")
def declare_stored(stage: Stage) -> None:
    stage.app.session_interface = StoreInterface({})
    declare_regenerated(stage)


@sessions.http("session of a store that blocks", uses_threads=True)
def declare_blocking(stage: Stage) -> None:
    stage.app.session_interface = PlainInterface({})
    declare_written(stage)
