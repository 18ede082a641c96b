"""Floor 5: the Jinja2 environment of an application."""

import functools
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Protocol, Self

import jinja2
from jinja2.ext import Extension
from markupsafe import Markup

from erlen.protocols import JSONProvider
from erlen.proxies import g, request, websocket
from erlen.signals import discard
from erlen.templating.blocking import Waiting, make_blocking
from erlen.templating.bytecode import OwnBytecode
from erlen.templating.code import Kinds, looking
from erlen.templating.escaping import escape_printed
from erlen.templating.loader import AppLoader, LoadingApp
from erlen.templating.skeletons import Skeletons


class App(LoadingApp, Protocol):
    """What an environment reads of its application."""

    @property
    def json(self) -> JSONProvider:
        """What the filter ``tojson`` writes with."""
        ...

    @property
    def jinja_options(self) -> Mapping[str, Any]:
        """Jinja's options."""
        ...

    @property
    def url_for(self) -> Callable[..., str]:
        """Builds URLs."""
        ...


_NOTHING = object()


class Environment(jinja2.Environment):
    """The environment of an application; extend it for the seat ``app.jinja_environment``.

    Templates are asynchronous: they await what they call. Every template is escaped, whatever its
    name. A function in a template that is not ``async def`` runs on the event loop, which it holds.
    What ``erlen.sync`` renders is rendered by :meth:`blocking`, in the thread of the caller.

    An application whose templates await nothing may have ``enable_async=False`` in its
    ``jinja_options``; macros that Python calls are then not awaited.
    """

    #: What is made of an environment at its first use, and again after something is assigned to it.
    _MADE = ("_blocking", "skeletons")
    #: What compiled templates ask whether a value may have to be awaited.
    erlen_plain = Kinds()
    #: What closes a coroutine that they do not come to await.
    erlen_discard = staticmethod(discard)
    #: What they print by.
    erlen_escape = staticmethod(escape_printed)
    #: Whether no base of a subclass finds attributes in a way of its own, as a sandbox does.
    _finds_as_jinja = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._finds_as_jinja = super().getattr is jinja2.Environment.getattr

    def __init__(self, app: App, **options: Any) -> None:
        """Make it for *app*; *options* are Jinja's and win over what is set here."""
        self._app = app
        defaults = {
            # SAFETY: a page made by 'x.txt', 'x.jinja' or a string is served as HTML all the same,
            # and a name in it may be a script.
            "autoescape": True,
            "auto_reload": None,
            "enable_async": True,
            "loader": AppLoader(app),
        }
        super().__init__(**(defaults | options))
        self.code_generator_class = looking(self.code_generator_class)

    @functools.cached_property
    def skeletons(self) -> Skeletons:
        """What ``render_block`` runs of templates."""
        return Skeletons(self)

    def blocking(self, waiting: Waiting) -> Self:
        """Return the environment, made once, whose templates wait by *waiting* and await nothing.

        It is this one when its templates are not asynchronous anyway. Words and options that this
        one gets later hold there too.
        """
        if not self.is_async:
            return self
        made: Self | None = self.__dict__.get("_blocking")
        if made is None:
            made = self.__dict__["_blocking"] = make_blocking(self, waiting)
        return made

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute of *obj*, or else the item of that name.

        PERF: 0.12 µs for an item of a dict; Jinja's own way, which raises and catches, takes 0.55.
        """
        if not self._finds_as_jinja:  # SAFETY: a sandbox behind this class decides what may be read
            return super().getattr(obj, attribute)
        found = getattr(obj, attribute, _NOTHING)
        if found is not _NOTHING:
            return found
        try:
            return obj[attribute]
        except (TypeError, LookupError, AttributeError):
            return self.undefined(obj=obj, name=attribute)

    def get_template(
        self,
        name: str | jinja2.Template,
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002  # Jinja's word
    ) -> jinja2.Template:
        """Return a template; one of the environment that awaits is got anew where none does."""
        if isinstance(name, jinja2.Template):
            return self._own(name)
        return super().get_template(name, parent, globals)

    def get_or_select_template(
        self,
        template_name_or_list: str | jinja2.Template | list[str | jinja2.Template],
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002  # Jinja's word
    ) -> jinja2.Template:
        """Return a template, or the first that exists; otherwise as :meth:`get_template`."""
        return self._own(super().get_or_select_template(template_name_or_list, parent, globals))

    def _own(self, template: jinja2.Template) -> jinja2.Template:
        awaits = template.environment.is_async and not self.is_async
        if awaits and template.environment is self.linked_to and template.name is not None:
            return self.get_template(template.name)
        return template

    def add_extension(self, extension: str | type[Extension]) -> None:
        """Add an extension of Jinja's."""
        super().add_extension(extension)
        self._forget_made()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self._forget_made()  # an overlay begins with all that its original has, but for these

    def _forget_made(self) -> None:
        for made in self._MADE:
            self.__dict__.pop(made, None)

    @property
    def auto_reload(self) -> bool:
        """Whether a template that changed is loaded again.

        As the configuration says at this moment: ``TEMPLATES_AUTO_RELOAD``, or ``DEBUG`` while that
        is ``None``. What is assigned, or given in ``jinja_options``, stays.
        """
        if self._auto_reload is not None:
            return self._auto_reload
        config = self._app.config
        reload = config["TEMPLATES_AUTO_RELOAD"]
        return bool(config["DEBUG"] if reload is None else reload)

    @auto_reload.setter
    def auto_reload(self, value: bool | None) -> None:
        self._auto_reload = value

    @property
    def bytecode_cache(self) -> jinja2.BytecodeCache | None:
        """What keeps compiled templates: what was given or assigned, with names of our own."""
        return self._bytecode_cache

    @bytecode_cache.setter
    def bytecode_cache(self, value: jinja2.BytecodeCache | None) -> None:
        self._bytecode_cache = None if value is None else OwnBytecode(value)


def create_environment(app: App, kind: type[Environment] = Environment) -> Environment:
    """Return the environment of *app*, of the class *kind*, with filters and globals of its own.

    ``jinja_options`` of the application win over the settings of the class.
    """
    environment = kind(app, **app.jinja_options)
    environment.globals.update(
        url_for=app.url_for, config=app.config, request=request, websocket=websocket, g=g
    )
    environment.filters["tojson"] = _tojson(app)
    return environment


#: What could end a script or an attribute, as escapes that mean the same in JSON.
_UNSAFE = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&'\u2028\u2029"})


def _tojson(app: App) -> Callable[..., Markup]:
    """Return the filter ``tojson`` that writes with the provider of *app*."""

    def tojson(value: object, indent: int | None = None) -> Markup:
        """Write *value* as JSON for a script, or for an attribute in single quotes."""
        options = {} if indent is None else {"indent": indent}
        # SAFETY: '</script>' in a string would end the script, and a quote the attribute.
        return Markup(app.json.dumps(value, **options).translate(_UNSAFE))  # noqa: S704  # escaped

    return tojson
