"""Floor 5: templates by Jinja2: the environment of an application, and rendering in a context.

The one module that imports Jinja2; the application imports it at the first use of a template.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import isawaitable
from pathlib import Path
from typing import Any, Protocol

import jinja2
from markupsafe import Markup

from erlen.context import current
from erlen.protocols import JSONProvider
from erlen.proxies import g, request, websocket

log = logging.getLogger(__name__)


class _Owner(Protocol):
    """What has a folder of templates: the application or a blueprint."""

    @property
    def root_path(self) -> str: ...
    @property
    def template_folder(self) -> str | None: ...


class _App(_Owner, Protocol):
    """What an environment reads of its application."""

    @property
    def blueprints(self) -> Mapping[str, _Owner]: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def json(self) -> JSONProvider: ...
    @property
    def jinja_options(self) -> Mapping[str, Any]: ...
    @property
    def url_for(self) -> Callable[..., str]: ...


# --- the environment ------------------------------------------------------------------------------


def create_environment(app: _App) -> jinja2.Environment:
    """Return the Jinja2 environment of *app*.

    Templates are asynchronous: they await what they call. Every template is escaped, whatever its
    name. ``jinja_options`` of the application win over these settings.
    """
    reload = app.config["TEMPLATES_AUTO_RELOAD"]
    options = {
        # SAFETY: a page made by 'x.txt', 'x.jinja' or a string is served as HTML all the same, and
        # a name in it may be a script.
        "autoescape": True,
        "auto_reload": bool(app.config["DEBUG"] if reload is None else reload),
        "enable_async": True,
        "loader": AppLoader(app),
        **app.jinja_options,
    }
    environment = jinja2.Environment(**options)  # noqa: S701  # autoescape is among the options
    environment.globals.update(
        url_for=app.url_for, config=app.config, request=request, websocket=websocket, g=g
    )
    environment.filters["tojson"] = _tojson(app)
    return environment


class AppLoader(jinja2.BaseLoader):
    """Find templates in the application's folder, then in the blueprints' as registered.

    Blueprints that are registered after the environment was made are seen. With
    ``EXPLAIN_TEMPLATE_LOADING`` each search is logged.
    """

    def __init__(self, app: _App) -> None:
        """*app* is asked for its folders at each search."""
        self._app = app

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Return source, file name and freshness of *template*.

        Raises:
            TemplateNotFound: No folder has it, or its name leads out of the folders.
        """
        tried = []
        for folder in self._folders():
            try:
                found = jinja2.FileSystemLoader(folder).get_source(environment, template)
            except jinja2.TemplateNotFound:
                tried.append(str(folder))
            else:
                self._explain(template, tried, found[1])
                return found
        self._explain(template, tried, None)
        raise jinja2.TemplateNotFound(template)

    def list_templates(self) -> list[str]:
        """Return the names of all templates, sorted."""
        loaders = [jinja2.FileSystemLoader(folder) for folder in self._folders()]
        return sorted({name for loader in loaders for name in loader.list_templates()})

    def _folders(self) -> Iterator[Path]:
        """Give the folders in the order of search."""
        for owner in (self._app, *self._app.blueprints.values()):
            if owner.template_folder is not None:
                yield Path(owner.root_path, owner.template_folder)

    def _explain(self, template: str, tried: Sequence[str], found: str | None) -> None:
        """Log a search, when the configuration asks for it."""
        if self._app.config["EXPLAIN_TEMPLATE_LOADING"]:
            log.info(
                "Template %r: %s; before that not found in: %s.",
                template,
                f"found as {found}" if found else "not found",
                ", ".join(tried) or "no folder",
            )


#: What could end a script or an attribute, as escapes that mean the same in JSON.
_UNSAFE = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&'\u2028\u2029"})


def _tojson(app: _App) -> Callable[..., Markup]:
    """Return the filter ``tojson`` that writes with the provider of *app*."""

    def tojson(value: object, indent: int | None = None) -> Markup:
        """Write *value* as JSON for a script, or for an attribute in single quotes."""
        options = {} if indent is None else {"indent": indent}
        # SAFETY: '</script>' in a string would end the script, and a quote the attribute.
        return Markup(app.json.dumps(value, **options).translate(_UNSAFE))  # noqa: S704  # escaped

    return tojson


# --- rendering ------------------------------------------------------------------------------------


async def render_template(
    template_name_or_list: str | jinja2.Template | list[str | jinja2.Template],
    /,
    **context: Any,
) -> str:
    """Render a template of the current application.

    Context processors run here, on the event loop: one that waits for something is ``async def``.

    Args:
        template_name_or_list: A name, a template, or a list of which the first that exists is
            rendered.
        context: Variables of the template; they win over those of context processors, which win
            over the environment's globals.

    Raises:
        TemplateNotFound: No folder has it.
        OutsideContextError: There is no application context.
    """
    template = _environment().get_or_select_template(template_name_or_list)
    return await _render(template, context)


async def render_template_string(source: str, /, **context: Any) -> str:
    """Render the template *source*; the rest as :func:`render_template`.

    Never pass text of a user as *source*: a template can run code. Pass it as a variable.
    """
    return await _render(_environment().from_string(source), context)


def _environment() -> jinja2.Environment:
    app: Any = current().app
    environment: jinja2.Environment = app.jinja_env
    return environment


async def _render(template: jinja2.Template, context: Mapping[str, Any]) -> str:
    variables: dict[str, Any] = {}
    for processor in current().line.context_processors:
        given = processor()
        variables.update(await given if isawaitable(given) else given)
    variables.update(context)
    return await template.render_async(variables)
