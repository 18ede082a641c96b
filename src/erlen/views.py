"""Floor 5: views written as classes."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import Any, ClassVar

from erlen.context import current
from erlen.exceptions import MethodNotAllowed
from erlen.proxies import request

_VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")


class View:
    """A view written as a class: override :meth:`dispatch_request`, register :meth:`as_view`.

    Attributes:
        methods: HTTP methods of its rules; ``None`` leaves them to ``add_url_rule``.
        provide_automatic_options: Whether OPTIONS is answered for it; ``None``: as configured.
        decorators: Applied to the function of :meth:`as_view` in order; the last is outermost.
        init_every_request: Make an instance for each request; ``False``: one for all of them.
    """

    methods: ClassVar[Collection[str] | None] = None
    provide_automatic_options: ClassVar[bool | None] = None
    decorators: ClassVar[Sequence[Callable[..., Any]]] = ()
    init_every_request: ClassVar[bool] = True
    _is_async: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note whether the class has coroutines, so that :meth:`as_view` need not run them."""
        super().__init_subclass__(**kwargs)
        cls._is_async = iscoroutinefunction(cls.dispatch_request)

    def dispatch_request(self, *args: Any, **kwargs: Any) -> Any:
        """Return the response; ``def`` or ``async def``. Keywords are the rule's variables."""
        raise NotImplementedError(
            f"{type(self).__name__} has no dispatch_request(). Define it, or subclass MethodView."
        )

    @classmethod
    def as_view(cls, name: str, *class_args: Any, **class_kwargs: Any) -> Callable[..., Any]:
        """Return a view function for ``add_url_rule``.

        A class with coroutines gives a coroutine function. Any other gives a plain one, which runs
        in the worker thread as every ``def`` view does. The function's ``view_class`` is the class;
        a test may put another there.

        Args:
            name: The function's name and thus the endpoint. One class may have several.
            class_args: Arguments of the class.
            class_kwargs: Keywords of the class.
        """
        shared = None if cls.init_every_request else cls(*class_args, **class_kwargs)

        def plain_view(**view_args: Any) -> Any:
            if shared is not None:
                return shared.dispatch_request(**view_args)
            return view.view_class(*class_args, **class_kwargs).dispatch_request(**view_args)

        async def async_view(**view_args: Any) -> Any:
            return await _settled(plain_view(**view_args))

        # A decorator that keeps no name would change the endpoint.
        view = cls._named(async_view if cls._is_async else plain_view, name)
        for decorator in cls.decorators:
            view = cls._named(decorator(view), name)
        view.view_class = cls
        view.methods = cls.methods
        view.provide_automatic_options = cls.provide_automatic_options
        return view  # type: ignore[no-any-return]  # functions have no type with attributes

    @classmethod
    def _named(cls, function: Any, name: str) -> Any:
        function.__name__ = name
        function.__qualname__ = f"{cls.__qualname__}.as_view({name!r})"
        function.__module__ = cls.__module__
        function.__doc__ = cls.__doc__
        return function


class MethodView(View):
    """A view with one method for each HTTP method: ``get``, ``post`` …; ``def`` or ``async def``.

    ``methods`` is what the class and its bases define, unless the class body sets it: then exactly
    that, other methods (``propfind``) included. HEAD is answered by ``get`` where there is no
    ``head``. In a class that mixes both kinds, ``def`` methods run in the worker thread.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect ``methods``."""
        super().__init_subclass__(**kwargs)
        if "methods" not in cls.__dict__:
            found = {verb.upper() for verb in _VERBS if hasattr(cls, verb)}
            for base in cls.__bases__:
                found.update(getattr(base, "methods", None) or ())
            cls.methods = sorted(found) or None
        functions = [getattr(cls, method.lower(), None) for method in cls.methods or ()]
        cls._is_async = cls._is_async or any(map(iscoroutinefunction, functions))

    def dispatch_request(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method of the current request; an awaitable in a class with coroutines.

        Raises:
            MethodNotAllowed: The class has no such method, although its rule allows it.
        """
        verb = request.method.lower()
        function = getattr(self, verb, None)
        if function is None and verb == "head":
            function = getattr(self, "get", None)
        if function is None:
            raise MethodNotAllowed(self.methods)
        if self._is_async and not iscoroutinefunction(function):
            return _in_thread(partial(function, *args, **kwargs))
        return function(*args, **kwargs)


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Call *function* in the worker thread of the exchange, and await what a decorator hid."""
    return await _settled(await current().run_sync(function))


async def _settled(result: Any) -> Any:
    """Return *result*, awaited when it is awaitable."""
    return await result if isawaitable(result) else result
