"""Commands of the application: their context, and async def ones."""

from collections.abc import AsyncIterator
from typing import Any

import anyio.lowlevel
import click
import pytest
from click.testing import CliRunner

from erlen import Blueprint, Erlen, current_app, g, has_app_context
from erlen.cli.group import AppGroup, with_appcontext
from erlen.cli.runner import CLIRunner


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


@pytest.fixture
def cli(app: Erlen) -> AppGroup:
    assert isinstance(app.cli, AppGroup)
    return app.cli


def output(app: Erlen, *args: str) -> str:
    """Return what a command prints; it must succeed."""
    result = app.test_cli_runner(catch_exceptions=False).invoke(args=args)
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_a_def_command_runs_in_the_context(app: Erlen, cli: AppGroup) -> None:
    @cli.command()
    @click.argument("name")
    def greet(name: str) -> None:
        g.name = name
        click.echo(f"{current_app.name} greets {g.name}")

    assert output(app, "greet", "Ada") == "shop greets Ada\n"


def test_defect_17_an_async_command_is_awaited_in_the_context(app: Erlen, cli: AppGroup) -> None:
    @cli.command("greet")
    @click.option("--name")
    async def say(name: str) -> None:
        click.echo(f"{current_app.name} greets {name}")

    assert output(app, "greet", "--name", "Ada") == "shop greets Ada\n"


def test_defect_17_an_async_command_below_a_decorator_is_awaited(app: Erlen, cli: AppGroup) -> None:
    @cli.command()
    @click.pass_context
    async def show(ctx: click.Context) -> None:
        click.echo(f"{ctx.info_name} in {current_app.name}")

    assert output(app, "show") == "show in shop\n"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_teardown_runs_at_the_end_of_a_command(app: Erlen, cli: AppGroup, kind: str) -> None:
    app.teardown_appcontext(lambda error: click.echo(f"closed after {error!r}"))

    def plain() -> None:
        click.echo("works")

    async def coroutine() -> None:
        plain()

    cli.command("work")(plain if kind == "def" else coroutine)
    assert output(app, "work") == "works\nclosed after None\n"


def test_an_async_teardown_runs_after_an_async_command(app: Erlen, cli: AppGroup) -> None:
    @app.teardown_appcontext
    async def close(error: BaseException | None) -> None:
        click.echo("closed")

    @cli.command
    async def work() -> None:
        click.echo("works")

    assert output(app, "work") == "works\nclosed\n"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_command_may_do_without_the_context(app: Erlen, cli: AppGroup, kind: str) -> None:
    def plain() -> None:
        click.echo(has_app_context())

    async def coroutine() -> None:
        plain()

    function = plain if kind == "def" else coroutine
    cli.command("bare", with_appcontext=False)(function)
    assert output(app, "bare") == "False\n"


def test_cl8_groups_nest_and_their_functions_may_be_async(app: Erlen, cli: AppGroup) -> None:
    @cli.group()
    async def user() -> None:
        click.echo(f"group of {current_app.name}")

    @user.command()
    async def create() -> None:
        click.echo(f"create in {current_app.name}")

    assert isinstance(user, AppGroup)
    assert output(app, "user", "create") == "group of shop\ncreate in shop\n"


def test_cl8_a_plain_click_command_may_ask_for_the_context(app: Erlen, cli: AppGroup) -> None:
    @click.command("plain")
    @with_appcontext
    async def plain() -> None:
        click.echo(current_app.name)

    cli.add_command(plain)
    assert output(app, "plain") == "shop\n"


def test_cl8_a_plain_click_command_gets_the_context_without_asking(
    app: Erlen, cli: AppGroup
) -> None:
    @click.command("plain")
    @click.option("--times", default=1)
    def plain(times: int) -> None:
        click.echo(current_app.name * times)

    cli.add_command(plain)
    assert output(app, "plain", "--times", "2") == "shopshop\n"
    assert CliRunner().invoke(plain).exception is not None  # elsewhere it is what it was


def test_defect_17_an_async_plain_click_command_is_awaited(app: Erlen, cli: AppGroup) -> None:
    @click.group()
    def plain() -> None:
        g.name = current_app.name

    @plain.command()
    async def deep() -> None:
        click.echo(f"awaited in {g.name}")

    cli.add_command(plain)
    assert output(app, "plain", "deep") == "awaited in shop\n"


def test_cl8_a_plain_group_without_a_function_works(app: Erlen, cli: AppGroup) -> None:
    empty = click.Group("empty")
    empty.command("show")(lambda: click.echo(current_app.name))
    cli.add_command(empty)
    assert output(app, "empty", "show") == "shop\n"


def test_cl8_an_app_group_of_another_program_works(app: Erlen, cli: AppGroup) -> None:
    user = AppGroup("user")
    user.command("show")(lambda: click.echo(current_app.name))
    cli.add_command(user)
    assert output(app, "user", "show") == "shop\n"


def test_cl8_the_commands_of_a_def_group_share_its_g(app: Erlen, cli: AppGroup) -> None:
    app.teardown_appcontext(lambda error: click.echo("closed"))

    @cli.group()
    def user() -> None:
        g.name = "Ada"

    @user.command()
    def show() -> None:
        click.echo(g.name)

    assert output(app, "user", "show") == "Ada\nclosed\n"


def test_cl8_asking_twice_for_the_context_is_harmless(app: Erlen, cli: AppGroup) -> None:
    @cli.command()
    @with_appcontext
    async def show() -> None:
        click.echo(current_app.name)

    assert output(app, "show") == "shop\n"


def test_cl8_a_function_that_asks_for_the_context_itself_gets_it(app: Erlen, cli: AppGroup) -> None:
    @cli.command(with_appcontext=False)
    @with_appcontext
    async def show() -> None:
        click.echo(current_app.name)

    assert output(app, "show") == "shop\n"


def test_an_unknown_command_of_the_application_is_code_2(app: Erlen) -> None:
    assert app.test_cli_runner().invoke(args=["nope"]).exit_code == 2


# --- the lifespan ---------------------------------------------------------------------------------


def declare_lifespan(app: Erlen) -> None:
    @app.lifespan
    async def database() -> AsyncIterator[dict[str, str]]:
        click.echo("open")
        yield {"database": "rows"}
        click.echo("close")


def test_an_async_command_runs_between_startup_and_shutdown(app: Erlen, cli: AppGroup) -> None:
    declare_lifespan(app)

    @cli.command()
    async def dump() -> None:
        click.echo(app.state.database)

    assert output(app, "dump") == "open\nrows\nclose\n"
    assert output(app, "dump") == "open\nrows\nclose\n"


def test_what_fails_at_startup_leaves_the_command(app: Erlen, cli: AppGroup) -> None:
    @app.before_serving
    async def fail() -> None:
        raise LookupError("no database")

    @cli.command()
    async def dump() -> None:
        click.echo("never")

    result = app.test_cli_runner().invoke(args=["dump"])
    assert isinstance(result.exception, LookupError)
    assert result.stdout == ""


async def test_an_application_that_runs_is_not_started_twice(app: Erlen, cli: AppGroup) -> None:
    declare_lifespan(app)

    @cli.command()
    async def dump() -> None:
        click.echo(app.state.database)

    async with app.test_client():
        assert output(app, "dump") == "rows\n"


def test_background_tasks_of_an_async_command_are_waited_for(app: Erlen, cli: AppGroup) -> None:
    async def work() -> None:
        await anyio.lowlevel.checkpoint()
        click.echo("worked")

    @cli.command()
    async def begin() -> None:
        app.add_background_task(work)

    assert output(app, "begin") == "worked\n"


def test_a_context_that_is_open_is_used(app: Erlen, cli: AppGroup) -> None:
    @cli.command()
    def show() -> None:
        click.echo(g.name)

    with app.app_context():
        g.name = "Ada"
        assert output(app, "show") == "Ada\n"


def test_the_help_of_a_command_is_its_docstring(app: Erlen, cli: AppGroup) -> None:
    @cli.command()
    async def seed() -> None:
        """Fill the tables."""

    assert "seed  Fill the tables." in output(app, "--help")


# --- the runner -----------------------------------------------------------------------------------


def test_te14_the_runner_returns_output_exit_code_and_exception(app: Erlen, cli: AppGroup) -> None:
    @cli.command()
    def fail() -> None:
        click.echo("before")
        raise LookupError("no database")

    result = app.test_cli_runner().invoke(args=["fail"])
    assert isinstance(app.test_cli_runner(), CLIRunner)
    assert (result.output, result.exit_code) == ("before\n", 1)
    assert isinstance(result.exception, LookupError)


def test_te14_the_runner_takes_a_command_and_input(app: Erlen, cli: AppGroup) -> None:
    @cli.command()
    @click.option("--name", prompt="Name")
    def greet(name: str) -> None:
        click.echo(f"{current_app.name} greets {name}")

    result = app.test_cli_runner().invoke(greet, input="Ada\n")
    assert result.output == "Name: Ada\nshop greets Ada\n"


def test_te14_another_object_may_be_given(app: Erlen) -> None:
    @click.command()
    @click.pass_obj
    def show(obj: Any) -> None:
        click.echo(obj)

    assert app.test_cli_runner().invoke(show, obj="mine").output == "mine\n"


async def test_te14_a_command_runs_in_an_async_test(app: Erlen, cli: AppGroup) -> None:
    @cli.command()
    async def seed() -> None:
        click.echo(f"seeded {current_app.name}")

    assert output(app, "seed") == "seeded shop\n"


# --- blueprints -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "registered", "args"),
    [
        ({}, {}, ["admin", "show"]),
        ({}, {"name": "other"}, ["other", "show"]),
        ({"cli_group": "manage"}, {}, ["manage", "show"]),
        ({}, {"cli_group": "manage"}, ["manage", "show"]),
        ({"cli_group": None}, {}, ["show"]),
        ({"cli_group": "manage"}, {"cli_group": None}, ["show"]),
    ],
)
def test_bp12_commands_of_a_blueprint_are_the_applications(
    app: Erlen, made: dict[str, Any], registered: dict[str, Any], args: list[str]
) -> None:
    blueprint = Blueprint("admin", "admin", **made)

    @blueprint.cli.command()
    async def show() -> None:
        click.echo(current_app.name)

    app.register_blueprint(blueprint, **registered)
    assert output(app, *args) == "shop\n"
