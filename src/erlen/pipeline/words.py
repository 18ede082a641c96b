"""Floor 6: the words that an application gives its templates, and their environment."""

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any  # noqa: TID251  # Jinja2 loads late, its type is wanted now

from erlen.pipeline.registry import Naming, Registry, check_callable

if TYPE_CHECKING:
    from erlen.templating import Environment


class TemplateWords(Registry):
    """Filters, tests and globals.

    Attributes:
        jinja_environment: Seat: class of the Jinja environment; ``erlen.templating.Environment``.
        jinja_options: Options of the Jinja environment, over erlen's own.
    """

    jinja_environment: "type[Environment] | None" = None
    jinja_options: dict[str, Any] = {}  # noqa: RUF012  # each application copies its class's

    def __init__(self) -> None:
        """Templates know erlen's words only."""
        super().__init__()
        self.jinja_options = dict(self.jinja_options)
        self._template_words: Mapping[str, dict[str, Callable[..., Any]]] = {
            "filters": {},
            "tests": {},
            "globals": {},
        }

    @property
    def template_filter(self) -> Naming:
        """Make the decorated function a filter of templates, with or without parentheses."""
        return Naming(self.add_template_filter)

    @property
    def template_test(self) -> Naming:
        """Make the decorated function a test of templates, with or without parentheses."""
        return Naming(self.add_template_test)

    @property
    def template_global(self) -> Naming:
        """Make the decorated function a global of templates, with or without parentheses."""
        return Naming(self.add_template_global)

    def add_template_filter(self, function: Callable[..., Any], name: str | None = None) -> None:
        """Register a filter; *name* is the function's own unless given."""
        self._add_template_word("add_template_filter", "filters", function, name)

    def add_template_test(self, function: Callable[..., Any], name: str | None = None) -> None:
        """Register a test; *name* is the function's own unless given."""
        self._add_template_word("add_template_test", "tests", function, name)

    def add_template_global(self, function: Callable[..., Any], name: str | None = None) -> None:
        """Register a global; *name* is the function's own unless given."""
        self._add_template_word("add_template_global", "globals", function, name)

    def _add_template_word(
        self, call: str, kind: str, function: Callable[..., Any], name: str | None
    ) -> None:
        self.check_open(call)
        check_callable(call, function)
        word = name or function.__name__
        self._template_words[kind][word] = function
        if "jinja_env" in self.__dict__:
            getattr(self.jinja_env, kind)[word] = function

    def create_jinja_environment(self) -> "Environment":
        """Return a new Jinja environment, of :attr:`jinja_environment`; override to set it up."""
        from erlen.templating import Environment, create_environment

        app: Any = self
        return create_environment(app, self.jinja_environment or Environment)

    @functools.cached_property
    def jinja_env(self) -> "Environment":
        """The Jinja environment, made at first use."""
        environment = self.create_jinja_environment()
        from erlen.flashing import get_flashed_messages
        from erlen.sessions.current import session

        environment.globals.update(session=session, get_flashed_messages=get_flashed_messages)
        for kind, words in self._template_words.items():
            getattr(environment, kind).update(words)
        return environment
