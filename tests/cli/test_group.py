"""Commands of the application: their context, and async def ones."""

from typing import Any

import click
import pytest

from erlen import Erlen, current_app, g, has_app_context
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
