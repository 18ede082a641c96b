"""Floor 8: whether declared functions can be called as they will be, and converters work."""

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from erlen.app import Erlen
from erlen.callables import name_of
from erlen.cli.findings import Finding
from erlen.pipeline.registry import Declarations
from erlen.routing.rule import Rule

#: What the functions of each declaration are called with.
_HOOKS = {
    "before_request": (),
    "after_request": ("response",),
    "teardown_request": ("error",),
    "before_websocket": (),
    "after_websocket": ("response",),
    "teardown_websocket": ("error",),
    "url_value_preprocessors": ("endpoint", "values"),
    "url_defaults": ("endpoint", "values"),
    "context_processors": (),
}


def check_declarations(app: Erlen) -> Iterator[Finding]:
    """Give what is wrong with hooks, handlers, views and converters."""
    scopes = [app.declared, *(blueprint.declared for blueprint in app.blueprints.values())]
    for scope in dict.fromkeys(scopes):
        yield from _check_hooks(scope)
    yield from _check("teardown_appcontext", app.teardown_appcontext_functions, ("error",))
    for rule in app.url_map.iter_rules():
        yield from _check_view(app, rule)
        yield from _check_converters(rule)


def _check_hooks(scope: Declarations) -> Iterator[Finding]:
    for word, names in _HOOKS.items():
        yield from _check(word, getattr(scope, word), names)
    for by_class in scope.error_handlers.values():
        yield from _check("errorhandler", by_class.values(), ("error",))


def _check(word: str, functions: Iterable[Any], names: tuple[str, ...]) -> Iterator[Finding]:
    for function in functions:
        problem = _problem(function, names, {})
        if problem:
            takes = f"({', '.join(names)})"
            yield Finding(
                *_site(function),
                f"{word}: {name_of(function)!r} will be called as {name_of(function)}{takes}: "
                f"{problem}.",
            )


def _check_view(app: Erlen, rule: Rule) -> Iterator[Finding]:
    view = app.view_functions.get(rule.endpoint)
    scopes = app.declarations_of(rule.endpoint.rpartition(".")[0])
    # Functions of @app.url_value_preprocessor may take values away, or add some.
    if view is None or any(scope.url_value_preprocessors for scope in scopes):
        return
    problem = _problem(view, (), dict.fromkeys(rule.arguments))
    if problem:
        yield Finding(
            *_site(view),
            f"the view {name_of(view)!r} does not take what the rule {rule.rule!r} gives it: "
            f"{problem}.",
        )


def _check_converters(rule: Rule) -> Iterator[Finding]:
    for placeholder in rule.path.placeholders:
        converter = placeholder.converter
        for name in re.compile(converter.regex).groupindex:
            # Two in one segment make an expression that cannot be compiled, at the first request.
            yield Finding(
                *_site(type(converter)),
                f"the regex of {type(converter).__name__!r}, {converter.regex!r}, has the named "
                f"group {name!r}. Write it without the name.",
            )


def _problem(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return why a function cannot be called so, as far as its outermost signature tells."""
    try:
        # A decorator that looks like the function below it may still add arguments of its own.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return ""  # a builtin that does not tell
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return ""


def _site(what: Any) -> tuple[str, int]:
    """Return file and line of a function or class."""
    while isinstance(what, functools.partial):
        what = what.func
    what = inspect.unwrap(what)
    if not (inspect.isclass(what) or inspect.isroutine(what)):
        what = type(what)
    try:
        return inspect.getsourcefile(what) or "", inspect.getsourcelines(what)[1]
    except (OSError, TypeError):
        return getattr(what, "__module__", None) or "", 0
