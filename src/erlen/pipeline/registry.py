"""Floor 6: what may be declared, by an application and by a blueprint alike.

A declaration is only recorded. The freeze (``plan``) orders and compiles; a declaration after it
would have no effect and raises.
"""

import abc
import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple, TypeVar, overload

from erlen.callables import is_async, name_of
from erlen.exceptions import FrozenError, HTTPException, default_exceptions

F = TypeVar("F", bound=Callable[..., Any])

#: Error handlers of one scope: status code or ``None`` → exception class → function.
Handlers = dict[int | None, dict[type[Exception], Callable[..., Any]]]


class Declarations:
    """What one scope (the application or one blueprint) declared, in order."""

    def __init__(self) -> None:
        """Nothing is declared yet."""
        self.before_request: list[Callable[..., Any]] = []
        self.after_request: list[Callable[..., Any]] = []
        self.teardown_request: list[Callable[..., Any]] = []
        self.before_websocket: list[Callable[..., Any]] = []
        self.after_websocket: list[Callable[..., Any]] = []
        self.teardown_websocket: list[Callable[..., Any]] = []
        self.url_value_preprocessors: list[Callable[..., Any]] = []
        self.url_defaults: list[Callable[..., Any]] = []
        self.context_processors: list[Callable[..., Any]] = []
        self.error_handlers: Handlers = {}


class Site(NamedTuple):
    """Where a declaration stands in the user's code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def declaration_site() -> Site:
    """Return file and line of the nearest caller outside this package."""
    frame = sys._getframe(1)  # the documented way to walk the stack cheaply
    while frame.f_globals.get("__name__", "").partition(".")[0] == "erlen" and frame.f_back:
        frame = frame.f_back
    return Site(frame.f_code.co_filename, frame.f_lineno)


class Naming:
    """A decorator that takes a name, or none, or (without parentheses) the function itself."""

    def __init__(self, add: Callable[[Any, str | None], None]) -> None:
        """*add* registers a function under a name, ``None`` for its own."""
        self._add = add

    @overload
    def __call__(self, name: F) -> F: ...

    @overload
    def __call__(self, name: str | None = None) -> Callable[[F], F]: ...

    def __call__(self, name: Any = None) -> Any:
        """Register the decorated function and return it."""
        if callable(name):
            self._add(name, None)
            return name

        def register(function: F) -> F:
            self._add(function, name)
            return function

        return register


class Registry(abc.ABC):
    """The decorators that an application and a blueprint share."""

    #: Whether it is a blueprint: for the sentence of ``FrozenError``.
    is_blueprint: ClassVar[bool] = False

    def __init__(self) -> None:
        """Nothing is declared, everything may be."""
        self.declared = Declarations()
        self.frozen = False

    def check_open(self, call: str) -> None:
        """Raise ``FrozenError`` naming *call* when declarations are closed."""
        if self.frozen:
            raise FrozenError(call, blueprint=self.is_blueprint)

    # --- routes -----------------------------------------------------------------------------------

    @abc.abstractmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a rule and its view."""

    def route(self, rule: str, *, endpoint: str | None = None, **options: Any) -> Callable[[F], F]:
        """Serve *rule* with the decorated view.

        Args:
            rule: Path with placeholders, ``"/user/<int:id>"``.
            endpoint: Name of the rule for ``url_for``; the view's name when not given.
            options: ``methods`` (default GET), ``defaults``, ``host``, ``subdomain``,
                ``strict_slashes``, ``merge_slashes``, ``redirect_to``, ``alias``, ``build_only``,
                ``provide_automatic_options``; ``timeout``, seconds for the view, which is then
                cancelled and answered by 503; ``cancel_on_disconnect``, to cancel it when its
                client leaves.

        Raises:
            SetupError, ValueError, LookupError, TypeError: The rule cannot work; names it.
        """
        self.check_open("route")
        check_used_with_parentheses("route", rule)

        def register(view: F) -> F:
            self.add_url_rule(rule, endpoint, view, **options)
            return view

        return register

    def _method_route(self, name: str, rule: str, options: dict[str, Any]) -> Callable[[F], F]:
        self.check_open(name)
        check_used_with_parentheses(name, rule)
        if "methods" in options:
            raise TypeError(
                f"methods={options['methods']!r} was given to {name}(), which serves one method. "
                "Use route() to serve several methods with one view."
            )
        return self.route(rule, methods=[name.upper()], **options)

    def get(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Serve GET (and HEAD); options as :meth:`route`, without ``methods``."""
        return self._method_route("get", rule, options)

    def post(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Serve POST; options as :meth:`route`, without ``methods``."""
        return self._method_route("post", rule, options)

    def put(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Serve PUT; options as :meth:`route`, without ``methods``."""
        return self._method_route("put", rule, options)

    def patch(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Serve PATCH; options as :meth:`route`, without ``methods``."""
        return self._method_route("patch", rule, options)

    def delete(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Serve DELETE; options as :meth:`route`, without ``methods``."""
        return self._method_route("delete", rule, options)

    def websocket(
        self, rule: str, *, endpoint: str | None = None, **options: Any
    ) -> Callable[[F], F]:
        """Serve WebSockets at *rule*; options as :meth:`route`, without ``methods``."""
        self.check_open("websocket")
        check_used_with_parentheses("websocket", rule)

        def register(view: F) -> F:
            self.add_websocket(rule, endpoint, view, **options)
            return view

        return register

    def add_websocket(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        """Register a WebSocket rule; as :meth:`add_url_rule`."""
        self.check_open("add_websocket")
        options = {"methods": ["GET"], **options, "websocket": True}
        self.add_url_rule(rule, endpoint, view_func, **options)

    # --- hooks ------------------------------------------------------------------------------------

    def _declare(self, call: str, functions: list[Callable[..., Any]], function: F) -> F:
        self.check_open(call)
        check_callable(call, function)
        functions.append(function)
        return function

    def before_request(self, function: F) -> F:
        """Call before the view; what it returns, if not ``None``, is the response."""
        return self._declare("before_request", self.declared.before_request, function)

    def after_request(self, function: F) -> F:
        """Call with the response; must return a response. Runs in reverse order."""
        return self._declare("after_request", self.declared.after_request, function)

    def teardown_request(self, function: F) -> F:
        """Call once after the last byte or the disconnect, with the unhandled error or ``None``."""
        return self._declare("teardown_request", self.declared.teardown_request, function)

    def before_websocket(self, function: F) -> F:
        """Call before a WebSocket view; what it returns, if not ``None``, refuses the handshake."""
        return self._declare("before_websocket", self.declared.before_websocket, function)

    def after_websocket(self, function: F) -> F:
        """Call with the refusing response or ``None``; must return it or another."""
        return self._declare("after_websocket", self.declared.after_websocket, function)

    def teardown_websocket(self, function: F) -> F:
        """Call once after a WebSocket ended, with the unhandled error or ``None``."""
        return self._declare("teardown_websocket", self.declared.teardown_websocket, function)

    def url_value_preprocessor(self, function: F) -> F:
        """Call ``function(endpoint, view_args)`` before all else; it may change the values."""
        return self._declare(
            "url_value_preprocessor", self.declared.url_value_preprocessors, function
        )

    def url_defaults(self, function: F) -> F:
        """Call ``function(endpoint, values)`` when a URL of this scope is built; may add values.

        Raises:
            TypeError: It is ``async def``, and ``url_for`` cannot wait for it.
        """
        if is_async(function):
            raise TypeError(
                f"The url_defaults function {name_of(function)!r} is 'async def', but "
                "url_for() is not awaited and cannot wait for it. Write it as 'def'."
            )
        return self._declare("url_defaults", self.declared.url_defaults, function)

    def context_processor(self, function: F) -> F:
        """Merge the mapping that *function* returns into every template of this scope."""
        return self._declare("context_processor", self.declared.context_processors, function)

    # --- error handlers ---------------------------------------------------------------------------

    def errorhandler(self, code_or_exception: type[Exception] | int) -> Callable[[F], F]:
        """Answer a status code or an exception class with what the decorated function returns."""
        self.check_open("errorhandler")
        check_used_with_parentheses("errorhandler", code_or_exception)

        def register(function: F) -> F:
            self.register_error_handler(code_or_exception, function)
            return function

        return register

    def register_error_handler(
        self, code_or_exception: type[Exception] | int, function: Callable[..., Any]
    ) -> None:
        """Register an error handler; a later one for the same key replaces it.

        Raises:
            ValueError: No exception has that code, or the class is not an exception.
            TypeError: An exception object was given instead of its class.
        """
        self.check_open("register_error_handler")
        check_callable("register_error_handler", function)
        cls, code = _handled(code_or_exception)
        self.declared.error_handlers.setdefault(code, {})[cls] = function


def _handled(code_or_exception: Any) -> tuple[type[Exception], int | None]:
    if isinstance(code_or_exception, int):
        try:
            return default_exceptions[code_or_exception], code_or_exception
        except KeyError:
            raise ValueError(
                f"{code_or_exception} is not a status with an exception of its own. "
                "Handle a subclass of HTTPException with that code instead."
            ) from None
    if isinstance(code_or_exception, Exception):
        raise TypeError(
            f"{code_or_exception!r} is an exception object. Give its class or a status code."
        )
    if not (isinstance(code_or_exception, type) and issubclass(code_or_exception, Exception)):
        raise ValueError(
            f"{code_or_exception!r} is not an exception class. Give one, or a status code."
        )
    if issubclass(code_or_exception, HTTPException):
        return code_or_exception, code_or_exception.code
    return code_or_exception, None


def check_callable(call: str, function: object) -> None:
    """Raise ``TypeError`` when what *call* was given cannot be called."""
    if not callable(function):
        raise TypeError(
            f"{call}() was given {function!r} of type {type(function).__name__}, which cannot be "
            "called. Give a function."
        )


def check_used_with_parentheses(call: str, argument: object) -> None:
    """Raise ``TypeError`` when the decorator *call* was given the function itself."""
    if inspect.isroutine(argument):
        raise TypeError(
            f"The decorator {call} was used without parentheses, on {argument!r}. "
            f"Write @{call}(...) with its argument."
        )


def endpoint_of(view_func: Callable[..., Any] | None) -> str:
    """Return the endpoint that a view has by its name.

    Raises:
        TypeError: There is no view and so no name.
    """
    name = getattr(view_func, "__name__", None)
    if name is None:
        raise TypeError(
            f"The rule has no endpoint and {view_func!r} has no name to make one of. "
            "Give endpoint= or a named view."
        )
    return str(name)


def rule_methods(
    view_func: Callable[..., Any] | None,
    methods: Iterable[str] | None,
    provide_automatic_options: bool | None,
    *,
    default_automatic: bool,
) -> tuple[set[str], bool]:
    """Return the methods of a rule and whether OPTIONS is answered without the view (RT-5, RT-6).

    Raises:
        TypeError: *methods* is one text instead of a list.
    """
    wanted: Iterable[str] = methods or getattr(view_func, "methods", None) or ("GET",)
    if isinstance(wanted, str):
        raise TypeError(
            f"methods={wanted!r} is one text. Give a list of method names, [{wanted!r}]."
        )
    names = {method.upper() for method in wanted}
    names |= {method.upper() for method in getattr(view_func, "required_methods", ())}
    automatic = provide_automatic_options
    if automatic is None:
        automatic = getattr(view_func, "provide_automatic_options", None)
    if automatic is None:
        automatic = "OPTIONS" not in names and default_automatic
    if automatic:
        names.add("OPTIONS")
    return names, automatic
