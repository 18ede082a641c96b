"""Floor 8: run an application's commands in tests."""

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click
from click.testing import CliRunner, Result

from erlen.app import Erlen
from erlen.cli.group import ScriptInfo
from erlen.serving import in_event_loop


class CLIRunner(CliRunner):
    """click's test runner, bound to an application.

    Attributes:
        app: The application whose commands run.
    """

    def __init__(self, app: Erlen, **options: Any) -> None:
        """*options* are those of click's ``CliRunner``."""
        super().__init__(**options)
        self.app = app

    def invoke(  # type: ignore[override]  # cli may be left out, as in Flask
        self,
        cli: click.Command | None = None,
        args: str | Sequence[str] | None = None,
        **options: Any,
    ) -> Result:
        """Run a command and return its output, exit code and exception.

        In an ``async def`` test the command runs in a thread of its own, as it may start an event
        loop; the test's loop stands still until it has ended.

        Args:
            cli: The command; the application's group ``app.cli`` when not given.
            args: Its arguments, the name of the command first when *cli* is a group.
            options: ``input``, ``env``, ``catch_exceptions`` … of click's ``CliRunner.invoke``;
                ``obj`` to replace the :class:`ScriptInfo` of the application.
        """
        options.setdefault("obj", ScriptInfo(self.app))
        command: Any = cli or self.app.cli
        call = functools.partial(super().invoke, command, args, **options)
        if not in_event_loop():
            return call()
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(call).result()
