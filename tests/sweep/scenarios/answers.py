"""Views that answer at once: text, JSON, errors, hooks, signals, templates."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from anyio.lowlevel import checkpoint

from erlen import (
    Blueprint,
    Response,
    abort,
    after_this_request,
    flash,
    g,
    get_flashed_messages,
    redirect,
    render_template_string,
    request,
    signals,
    stream_template_string,
    url_for,
)
from tests.sweep.scenario import Collection, Stage

answers = Collection()


@answers.http("text")
def declare_text(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        await checkpoint()
        return "text"


@answers.http("JSON", in_pairs=True)
def declare_json(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> dict[str, int]:
        with stage.notes.held("the view"):
            await checkpoint()
        return {"n": 1}


@answers.http("HEAD of a view", method="HEAD")
def declare_head(stage: Stage) -> None:
    declare_text(stage)


@answers.http("redirect with a flashed message", begins_with=303)
def declare_redirect(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> Any:
        await checkpoint()
        flash("saved")
        return redirect(url_for("target"))

    @stage.app.get("/target")
    async def target() -> str:
        return " ".join(map(str, get_flashed_messages()))


@answers.http("hooks of a blueprint", "/blue/7", in_pairs=True)
def declare_blueprint(stage: Stage) -> None:
    blue = Blueprint("blue", __name__, url_prefix="/blue")
    notes = stage.notes
    for scope in (stage.app, blue):

        @scope.before_request
        async def before() -> None:
            if "n" not in g and request.blueprint:
                notes.expect("the teardown of the blueprint")
            g.n = g.get("n", 0) + 1
            await checkpoint()

        @scope.after_request
        async def after(response: Response) -> Response:
            await checkpoint()
            response.headers["X-N"] = str(g.n)
            return response

    @blue.teardown_request
    async def end(_error: BaseException | None) -> None:
        notes.done("the teardown of the blueprint")
        await checkpoint()
        notes.clean_up()

    @blue.get("/<int:n>")
    async def view(n: int) -> str:
        await checkpoint()
        return str(n + g.n)

    stage.app.register_blueprint(blue)


@answers.http("after_this_request and call_on_close", in_pairs=True)
def declare_after_this(stage: Stage) -> None:
    notes = stage.notes

    async def close(name: str) -> None:
        notes.done(name)
        await checkpoint()
        notes.clean_up()

    @stage.app.get("/")
    async def view() -> Response:
        response = Response("text")

        @after_this_request
        async def after(response: Response) -> Response:
            await checkpoint()
            return response

        for name in ("the first close", "the second close"):
            response.call_on_close(partial(close, name))
        await checkpoint()
        for name in ("the first close", "the second close"):
            notes.expect(name)
        return response


@answers.http("error handler", begins_with=418)
def declare_handler(stage: Stage) -> None:
    @stage.app.errorhandler(KeyError)
    async def handle(error: KeyError) -> tuple[str, int]:
        await checkpoint()
        return f"no {error}", 418

    @stage.app.get("/")
    async def view() -> str:
        await checkpoint()
        raise KeyError("tea")


@answers.http("abort", begins_with=403)
def declare_abort(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        await checkpoint()
        abort(403)


@answers.http("404 with a handler", "/nowhere", begins_with=404)
def declare_not_found(stage: Stage) -> None:
    @stage.app.errorhandler(404)
    async def handle(_error: Exception) -> tuple[str, int]:
        await checkpoint()
        return "nothing here", 404


@answers.http("an answer of the before hook")
def declare_before(stage: Stage) -> None:
    @stage.app.before_request
    async def before() -> str | None:
        await checkpoint()
        return None if request.path == "/is-well" else "stopped"


@answers.http("asynchronous receivers of signals")
def declare_signals(stage: Stage) -> None:
    async def receive(_sender: object, **_values: Any) -> None:
        await checkpoint()

    for name in ("request_started", "request_finished", "request_tearing_down"):
        stage.enter(getattr(signals, name).connected_to(receive, stage.app))
    for name in ("appcontext_pushed", "appcontext_popped", "before_render_template"):
        stage.enter(getattr(signals, name).connected_to(receive, stage.app))

    @stage.app.get("/")
    async def view() -> str:
        return await render_template_string("{{ 1 }}")


@answers.http("template with a context processor")
def declare_template(stage: Stage) -> None:
    @stage.app.context_processor
    async def provide() -> dict[str, str]:
        await checkpoint()
        return {"name": "tea"}

    @stage.app.get("/")
    async def view() -> str:
        return await render_template_string("{% for i in range(2000) %}{{ name }}{% endfor %}")


@answers.http("streamed template")
def declare_streamed_template(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> AsyncIterator[str]:
        return await stream_template_string(
            "{% for i in range(3000) %}{{ i }}{% endfor %}{{ request.path }}"
        )


@answers.http("streamed asynchronous template")
def declare_async_template(stage: Stage) -> None:
    stage.app.jinja_options = {"enable_async": True}

    async def items() -> AsyncIterator[str]:
        with stage.notes.held("the template's generator"):
            for number in range(5):
                await checkpoint()
                yield str(number) * 3000

    @stage.app.get("/")
    async def view() -> AsyncIterator[str]:
        return await stream_template_string(
            "{% for i in items %}{{ i }}{% endfor %}", items=items()
        )
