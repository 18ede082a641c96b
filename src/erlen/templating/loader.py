"""Floor 5: where the templates of an application and its blueprints are found."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jinja2

log = logging.getLogger("erlen.templating")


class Folder(Protocol):
    """Where templates are."""

    @property
    def root_path(self) -> str:
        """What the folder is relative to."""
        ...

    @property
    def template_folder(self) -> str | None:
        """The folder, ``None`` for none."""
        ...


class Owner(Folder, Protocol):
    """What has templates: the application or a blueprint."""

    @property
    def name(self) -> str:
        """Name for messages."""
        ...

    @property
    def jinja_loader(self) -> jinja2.BaseLoader | None:
        """What finds its templates."""
        ...


class LoadingApp(Owner, Protocol):
    """What the loader reads of its application."""

    @property
    def blueprints(self) -> Mapping[str, Owner]:
        """Name → blueprint, as registered."""
        ...

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration."""
        ...


def folder_loader(owner: Folder) -> jinja2.FileSystemLoader | None:
    """Return the loader of an owner's ``template_folder``, ``None`` when it has none."""
    if owner.template_folder is None:
        return None
    return jinja2.FileSystemLoader(Path(owner.root_path, owner.template_folder))


class AppLoader(jinja2.BaseLoader):
    """Find templates by the application's ``jinja_loader``, then by the blueprints' as registered.

    Blueprints that are registered after the environment was made are seen. With
    ``EXPLAIN_TEMPLATE_LOADING`` each search is logged.
    """

    def __init__(self, app: LoadingApp) -> None:
        """*app* is asked for its loaders at each search."""
        self._app = app

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Return source, file name and freshness of *template*.

        Raises:
            TemplateNotFound: No loader has it, or its name leads out of the folders.
        """
        tried = []
        for owner, loader in self._loaders():
            try:
                found = loader.get_source(environment, template)
            except jinja2.TemplateNotFound:
                tried.append(_describe(owner, loader))
            else:
                self._explain(template, tried, found[1] or _describe(owner, loader))
                return found
        self._explain(template, tried, None)
        raise jinja2.TemplateNotFound(template)

    def list_templates(self) -> list[str]:
        """Return the names of all templates, sorted."""
        return sorted({name for _, loader in self._loaders() for name in loader.list_templates()})

    def _loaders(self) -> Iterator[tuple[Owner, jinja2.BaseLoader]]:
        """Give the loaders in the order of search."""
        for owner in (self._app, *self._app.blueprints.values()):
            if owner.jinja_loader is not None:
                yield owner, owner.jinja_loader

    def _explain(self, template: str, tried: Sequence[str], found: str | None) -> None:
        """Log a search, when the configuration asks for it."""
        if self._app.config["EXPLAIN_TEMPLATE_LOADING"]:
            log.info(
                "Template %r: %s; before that not found in: %s.",
                template,
                f"found as {found}" if found else "not found",
                ", ".join(tried) or "no folder",
            )


def _describe(owner: Owner, loader: jinja2.BaseLoader) -> str:
    """Return the words by which a developer finds a loader."""
    if isinstance(loader, jinja2.FileSystemLoader):
        return ", ".join(loader.searchpath)
    return f"the {type(loader).__name__} of {owner.name!r}"
