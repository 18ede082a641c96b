"""Floor 8: templates and files for ``def`` views, blocking; each returns what its original does."""

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine
from inspect import isawaitable
from typing import Any, ParamSpec, TypeVar

from erlen import files, pages
from erlen.sync.bridge import Each, wait_for

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Return *function* without the ``await`` before it."""
    name = f"{function.__name__}()"

    @functools.wraps(function)
    def wait(*args: P.args, **kwargs: P.kwargs) -> T:
        return wait_for(name, function, *args, **kwargs)

    return wait


def _streaming(
    function: Callable[P, Coroutine[Any, Any, AsyncGenerator[T, None]]],
) -> Callable[P, Each[T]]:
    """The same for one that returns chunks; a plain iterator gives them."""
    name = f"{function.__name__}()"

    @functools.wraps(function)
    def wait(*args: P.args, **kwargs: P.kwargs) -> Each[T]:
        return Each(name, wait_for(name, function, *args, **kwargs))

    return wait


render_template = _blocking(pages.render_template)
render_template_string = _blocking(pages.render_template_string)
render_block = _blocking(pages.render_block)
stream_template = _streaming(pages.stream_template)
stream_template_string = _streaming(pages.stream_template_string)
send_file = _blocking(files.send_file)
send_from_directory = _blocking(files.send_from_directory)


def get_template_attribute(template_name: str, attribute: str) -> Any:
    """Return a macro or variable that a template exports; a macro's call blocks, too.

    ::

        hello = get_template_attribute("_greetings.html", "hello")
        return hello("World")

    Raises:
        jinja2.TemplateNotFound: No folder has the template.
        AttributeError: It exports no such name.
        OutsideContextError: No context is running.
    """
    name = "get_template_attribute()"
    value = wait_for(name, pages.get_template_attribute, template_name, attribute)
    if not callable(value):
        return value

    def call(*args: Any, **kwargs: Any) -> Any:
        return wait_for(name, _call, value, *args, **kwargs)

    return call


async def _call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    result = function(*args, **kwargs)
    return await result if isawaitable(result) else result
