"""Floor 8: templates and files for ``def`` views; each function gives what its original gives.

Templates are rendered in the thread of the caller, where what the view has opened can be used.
Files are sent over the bridge.
"""

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, ParamSpec, TypeVar

from erlen import files, pages, replies
from erlen.sync.bridge import check_caller, wait_for

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Return *function* without the ``await`` before it, over the bridge."""
    name = f"{function.__name__}()"

    @functools.wraps(function)
    def wait(*args: P.args, **kwargs: P.kwargs) -> T:
        return wait_for(name, function, *args, **kwargs)

    return wait


def _in_thread(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Return a function of templates without the ``await`` before it, in the caller's thread."""
    name = function.__name__

    @functools.wraps(function)
    def render(*args: P.args, **kwargs: P.kwargs) -> T:
        check_caller(f"{name}()")
        rendering = _load()
        result: T = rendering.finish(getattr(rendering.renderer, name)(*args, **kwargs))
        return result

    return render


def _streaming(
    function: Callable[P, Coroutine[Any, Any, AsyncGenerator[T, None]]],
) -> Callable[P, Generator[T, None, None]]:
    """The same for one that returns chunks; a plain generator gives them."""
    begin = _in_thread(function)

    @functools.wraps(function)
    def stream(*args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        chunks: Generator[T, None, None] = _load().iterate_chunks(begin(*args, **kwargs))
        return chunks

    return stream


@functools.cache
def _load() -> Any:
    """Return the module that renders; Jinja2 loads with it."""
    from erlen.sync import rendering

    return rendering


render_template = _in_thread(pages.render_template)
render_template_string = _in_thread(pages.render_template_string)
render_block = _in_thread(pages.render_block)
stream_template = _streaming(pages.stream_template)
stream_template_string = _streaming(pages.stream_template_string)
send_file = _blocking(files.send_file)
send_from_directory = _blocking(files.send_from_directory)
make_push_promise = _blocking(replies.make_push_promise)


def get_template_attribute(template_name: str, attribute: str) -> Any:
    """Return a macro or variable that a template exports; a macro is called as any function.

    ::

        hello = get_template_attribute("_greetings.html", "hello")
        return hello("World")

    Raises:
        jinja2.TemplateNotFound: No folder has the template.
        AttributeError: It exports no such name.
        OutsideContextError: No context is running.
    """
    return _get_template_attribute(template_name, attribute)


_get_template_attribute = _in_thread(pages.get_template_attribute)
