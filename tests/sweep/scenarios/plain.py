"""``def`` views, in their threads."""

from typing import Any

from erlen import Response, abort, g, run_sync, session, sync
from tests.exchange.form_bodies import URLENCODED
from tests.sweep.scenario import Collection, Stage

plain = Collection()


@plain.http("def view", uses_threads=True)
def declare_view(stage: Stage) -> None:
    @stage.app.get("/")
    def view() -> str:
        return "text"


@plain.http(
    "def view that reads a form",
    method="POST",
    headers=[(b"content-type", URLENCODED.encode())],
    body=[b"a=1", b"&b=2"],
    uses_threads=True,
)
def declare_form(stage: Stage) -> None:
    @stage.app.post("/")
    def view() -> dict[str, str]:
        with stage.notes.held("the view"):
            return sync.request.form.to_dict()


@plain.http("def view and def hooks with a resource on g", uses_threads=True, in_pairs=True)
def declare_resource(stage: Stage) -> None:
    notes = stage.notes

    @stage.app.before_request
    def connect() -> None:
        notes.expect("the connection")
        g.connection = "open"

    @stage.app.after_request
    def commit(response: Response) -> Response:
        return response

    @stage.app.teardown_request
    def disconnect(_error: BaseException | None) -> None:
        if g.pop("connection", None):
            notes.done("the connection")
        notes.clean_up()

    @stage.app.get("/")
    def view() -> str:
        return str(g.connection)


@plain.http("def view that aborts, and its handler", begins_with=404, uses_threads=True)
def declare_abort(stage: Stage) -> None:
    @stage.app.errorhandler(404)
    def handle(_error: Exception) -> tuple[str, int]:
        return "nothing", 404

    @stage.app.get("/")
    def view() -> str:
        abort(404)


@plain.http("def view with a template and the session", uses_threads=True)
def declare_template(stage: Stage) -> None:
    @stage.app.get("/")
    def view() -> str:
        session["n"] = 1
        return sync.render_template_string("{{ session.n }}")


@plain.http("coroutine that calls run_sync()", uses_threads=True)
def declare_offload(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> list[Any]:
        twice = run_sync(lambda n: n * 2)
        return [await twice(1), await twice(2)]
