"""Floor 7: the application: its front doors. Nothing is done here; everything is declared."""

import functools
import logging
from collections.abc import Awaitable, Callable, Sequence, ValuesView
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar, cast  # noqa: TID251  # see below

from erlen.blueprint import Blueprint
from erlen.callables import name_of
from erlen.config import DEFAULTS, Config, ConfigAttribute, as_timedelta, get_debug_flag
from erlen.config import check as check_config
from erlen.context import call_in_no_context, current, current_context
from erlen.door import Entrance
from erlen.exceptions import SetupError
from erlen.exchange.connection import Connection
from erlen.exchange.request import Request
from erlen.exchange.response import Response
from erlen.exchange.websocket import WebSocket
from erlen.json import DefaultJSONProvider
from erlen.links import build_url
from erlen.location import (
    find_name,
    find_root_path,
    resolve_instance_path,
)
from erlen.logs import create_logger, request_id
from erlen.pipeline.adapt import Async, adapt
from erlen.pipeline.around_serving import AroundServing
from erlen.pipeline.coerce import Coercion
from erlen.pipeline.dispatch import call_before, serve
from erlen.pipeline.folders import DEFAULT_STATIC_FOLDER, Folders
from erlen.pipeline.lifespan import report_failed_freeze
from erlen.pipeline.limits import Limits
from erlen.pipeline.mount import Mount
from erlen.pipeline.plan import Plan
from erlen.pipeline.registry import (
    Declarations,
    check_callable,
    check_used_with_parentheses,
    declaration_site,
    endpoint_of,
    rule_methods,
)
from erlen.pipeline.words import TemplateWords
from erlen.protocols import ASGIApp, JSONProvider, Receive, Scope, Send
from erlen.proxies import Proxy
from erlen.routing.adapter import MapAdapter
from erlen.routing.map import Map
from erlen.routing.rule import Rule
from erlen.shutdown import ShuttingDown
from erlen.state import State
from erlen.tasks import BackgroundTasks, TaskContext
from erlen.threads import Threads
from erlen.wire.urls import printable

if TYPE_CHECKING:  # the doors open late, but users' checkers want to know what is behind them
    from erlen.cli.group import AppGroup
    from erlen.cli.runner import CLIRunner
    from erlen.pipeline.manual import ManualContext
    from erlen.testing import Client
    from erlen.wsgi import WSGIAdapter

F = TypeVar("F", bound=Callable[..., Any])


class Erlen(Folders, TemplateWords, AroundServing, Entrance):
    """The application.

    Attributes:
        config: Settings, a dict with loaders; see the table of keys in the documentation.
        url_map: The rules.
        view_functions: Endpoint → view.
        blueprints: Dotted name → blueprint, in order of registration.
        extensions: For extensions: name → whatever they keep.
        json: Seat: the JSON provider; that of ``JSON_PROVIDER`` unless one is assigned.
        json_provider_class: Seat: class of the provider, in place of ``JSON_PROVIDER``.
        session_interface: Seat: opens and saves sessions.
        request_class: Seat: the class of ``request``.
        response_class: Seat: the class of responses made of view values.
        state: What the process shares; lifespans fill it.
        background_tasks: Those that :meth:`add_background_task` has started.
        shutting_down: An event: set when the server is told to end, before anything is closed.
        url_build_error_handlers: Called as ``f(error, endpoint, values)`` when no URL can be built.
        around_view: Wraps each view, a coroutine function, at the freeze; for tools that watch.
        asgi_app: The ASGI application; wrap it, ``app.asgi_app = Middleware(app.asgi_app)``.
    """

    request_class: type[Request] = Request
    response_class: type[Response] = Response
    config_class: ClassVar[type[Config]] = Config
    json_provider_class: Callable[[Any], JSONProvider] | None = None
    session_interface: Any = None

    testing = ConfigAttribute[bool]("TESTING")
    debug = ConfigAttribute[bool]("DEBUG")
    secret_key = ConfigAttribute[Any]("SECRET_KEY")
    permanent_session_lifetime = ConfigAttribute[timedelta](
        "PERMANENT_SESSION_LIFETIME", get_converter=as_timedelta
    )

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: str | None = DEFAULT_STATIC_FOLDER,
        static_host: str | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
        template_folder: str | None = "templates",
        instance_path: str | None = None,
        instance_relative_config: bool = False,
        root_path: str | None = None,
    ) -> None:
        """Make an application.

        Args:
            import_name: ``__name__``: names the application and finds its folders.
            static_url_path: Path of the static files, ``/static`` for the folder ``static``.
            static_folder: Served below that path, relative to *root_path*; ``None`` for none.
            static_host: Host of the static files; without it *host_matching* serves none.
            host_matching: Rules are for hosts: ``host="<user>.example.com"``.
            subdomain_matching: Rules are for subdomains of ``SERVER_NAME``.
            template_folder: Relative to *root_path*; ``None`` for none.
            instance_path: Absolute folder of deployment files; found when not given.
            instance_relative_config: Configuration files are relative to it.
            root_path: Folder of the application; that of its module when not given.
        """
        super().__init__()
        self.import_name = import_name
        self.name = find_name(import_name)
        self.root_path = root_path or find_root_path(import_name)
        self.template_folder = template_folder
        self.set_static_folder(static_folder, static_url_path)
        self.instance_path = resolve_instance_path(instance_path, import_name, self.root_path)
        config_root = self.instance_path if instance_relative_config else self.root_path
        self.config = self.config_class(config_root, {**DEFAULTS, "DEBUG": get_debug_flag()})
        self.url_map = Map(host_matching=host_matching, subdomain_matching=subdomain_matching)
        self.view_functions: dict[str, Callable[..., Any]] = {}
        self.blueprints: dict[str, Blueprint] = {}
        self.extensions: dict[str, Any] = {}
        if not self.session_interface:
            from erlen.sessions import SecureCookieSessionInterface

            self.session_interface = SecureCookieSessionInterface()
        self.state = State()
        self.shutting_down = ShuttingDown()
        self.background_tasks = BackgroundTasks(self)
        self.url_build_error_handlers: list[Callable[..., Any]] = []
        self.teardown_appcontext_functions: list[Callable[..., Any]] = []
        self.shell_context_processors: list[Callable[[], dict[str, Any]]] = []
        self.around_view: Callable[[Async], Async] | None = None
        self.asgi_app = self._serve_first
        self._json: JSONProvider | None = None
        self._middleware: list[tuple[Callable[..., ASGIApp], dict[str, Any]]] = []
        self._plan: Plan | None = None
        self._entry: ASGIApp | None = None
        if self.has_static_folder and (static_host or not host_matching):
            rule = f"{self.static_url_path}/<path:filename>"
            # SPEC: B-217: no OPTIONS, so that Allow names what there is.
            self.add_url_rule(rule, "static", self.send_static_file, False, host=static_host)

    # --- serving ----------------------------------------------------------------------------------

    async def _serve_first(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            entry = self._entry or self.freeze()
        except Exception as error:
            await report_failed_freeze(scope, receive, send, error)
            raise
        await entry(scope, receive, send)

    def freeze(self) -> ASGIApp:
        """Compile the declarations and return the ASGI stack; done at startup or the first request.

        Raises:
            SetupError, ValueError: A declaration or a setting cannot work; names it.
        """
        from erlen.sessions import check_secret_key

        check_config(self.config)
        logger = self.logger  # made now: what erlen itself logs is to be seen as well
        for warning in check_secret_key(self.config, self.debug):
            logger.warning(warning)
        if isinstance(self.json, DefaultJSONProvider):
            self.json.max_depth = self.config["JSON_MAX_DEPTH"]
        self._plan = Plan(self).compile()
        self.frozen = True
        self.config.freeze()
        stack: ASGIApp = functools.partial(serve, self._plan)
        if self.lifespan_declarations.mounts:
            from erlen.pipeline.mounting import Mounted

            stack = Mounted(self._plan, self.lifespan_declarations.mounts, stack)
        for factory, options in reversed(self._middleware):
            stack = factory(stack, **options)
        if self._middleware:
            stack = functools.partial(call_in_no_context, stack)
        entry = stack
        if self.lifespan_declarations:
            from erlen.pipeline.gate import Gate

            entry = Gate(self._plan, stack, self._use)
        self._use(entry)
        return entry

    def _use(self, entry: ASGIApp) -> None:
        """Have servers call *entry*, directly unless :attr:`asgi_app` was wrapped."""
        if self.asgi_app in (self._serve_first, self._entry):
            self.lead_to(entry)
        self._entry = entry

    @functools.cached_property
    def threads(self) -> Threads:
        """Where ``def`` functions run; ``WORKER_THREADS`` of them at once."""
        keys = ("WORKER_THREADS", "TEARDOWN_THREADS", "FILE_THREADS")
        return Threads(*map(self.config.__getitem__, keys))

    def begin_shutdown(self) -> None:
        """Set :attr:`shutting_down`, as ``erlen run`` does at SIGTERM; from any thread or handler.

        Streams of events and WebSockets then end by themselves. The server is not stopped by it.
        """
        self.shutting_down.set()
        self.lifespan_declarations.tell_mounts()

    def add_background_task(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> None:
        """Start *function* in the background, on the running event loop; the caller goes on.

        It has an application context of its own, in which ``request`` and ``session`` show how they
        were; the end of the request is nothing to it. What it raises is logged, and told by the
        signal ``got_background_exception``. At shutdown it has
        ``BACKGROUND_TASK_SHUTDOWN_TIMEOUT`` seconds.

        Args:
            function: ``async def``, or ``def``, which runs in a thread.
            args: Its arguments.
            kwargs: Its keywords.

        Raises:
            RuntimeError: ``MAX_BACKGROUND_TASKS`` are running, or no event loop runs here.
            TypeError: *function* cannot be called.
        """
        self.background_tasks.add(function, *args, **kwargs)

    @property
    def needs_lifespan(self) -> bool:
        """Whether something is declared that runs with the lifespan, and the lifespan does not."""
        return bool(self.lifespan_declarations) and not self.lifespan_declarations.running

    def add_middleware(self, factory: Callable[..., ASGIApp], **options: Any) -> None:
        """Wrap the application in ASGI middleware; the first added is outermost.

        Args:
            factory: Called once, at the freeze, as ``factory(app, **options)``.
            options: Passed on.
        """
        self.check_open("add_middleware")
        check_callable("add_middleware", factory)
        self._middleware.append((factory, options))

    def mount(
        self,
        path: str,
        asgi_app: ASGIApp | None = None,
        *,
        wsgi: Callable[..., Any] | None = None,
    ) -> None:
        """Serve another application below *path*, HTTP and WebSockets, or a WSGI one, HTTP only.

        It gets *path* at the end of its ``root_path``; hooks, error pages and 404s there are its
        own. It is started after this application and ended before it. A rule of this application
        that lies below *path* wins where it answers.

        Args:
            path: ``"/shop"``, plain; ``"/"`` for all that no rule answers.
            asgi_app: Of erlen or any other framework; it may be mounted at several paths.
            wsgi: In its place a WSGI application, which runs in ``WORKER_THREADS`` threads of its
                own; ``MAX_CONTENT_LENGTH`` and ``BODY_TIMEOUT`` hold, as they are set now.

        Raises:
            SetupError: Something is mounted there, or *asgi_app* has this one mounted.
            ValueError: *path* is malformed.
            TypeError: *asgi_app* is no ASGI application, or there is none, or two.
        """
        self.check_open("mount")
        if (asgi_app is None) is (wsgi is None):
            raise TypeError(
                f"mount({path!r}) needs one application. Give it an ASGI application, or a WSGI "
                "application as wsgi=."
            )
        if wsgi is not None:
            from erlen.wsgi import WSGIApp

            asgi_app = WSGIApp(
                wsgi,
                threads=self.config["WORKER_THREADS"],
                max_content_length=self.config["MAX_CONTENT_LENGTH"],
                body_timeout=self.config["BODY_TIMEOUT"],
            )
        assert asgi_app is not None
        self.lifespan_declarations.add_mount(Mount(path, asgi_app), self)

    @functools.cached_property
    def wsgi(self) -> "WSGIAdapter":
        """A WSGI callable that serves this application, for servers that offer nothing else.

        ``wsgi = app.wsgi``, and then ``gunicorn module:wsgi``. All requests of a process run in one
        event loop, which begins with the first of them; the lifespan runs there.
        """
        from erlen.wsgi import WSGIAdapter

        return WSGIAdapter(self)

    # --- declarations -----------------------------------------------------------------------------

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a rule and its view.

        Args:
            rule: Path with placeholders, beginning with a slash.
            endpoint: Name of the rule for ``url_for``; the view's name when not given.
            view_func: The view, ``async def`` or ``def``; :meth:`endpoint` may attach it later.
            provide_automatic_options: Answer OPTIONS without the view; by the configuration and
                the methods when not given.
            options: As for :meth:`route`.

        Raises:
            DuplicateRuleError: Another rule matches the same requests.
            SetupError: The endpoint has another view.
            ValueError, LookupError, TypeError: The rule is malformed.
        """
        self.check_open("add_url_rule")
        if view_func is not None:
            check_callable("add_url_rule", view_func)
        site = options.pop("origin", None) or declaration_site()
        limits = Limits.taken_from(options)
        endpoint = endpoint or endpoint_of(view_func)
        methods, automatic = rule_methods(
            view_func,
            options.pop("methods", None),
            False if options.get("websocket") else provide_automatic_options,
            default_automatic=self.config["PROVIDE_AUTOMATIC_OPTIONS"],
        )
        self._check_domain(rule, site, options)
        known = self.view_functions.get(endpoint)
        if view_func is not None and known not in (None, view_func):
            raise SetupError(
                f"The endpoint {endpoint!r} of the rule {rule!r} ({site}) already has the view "
                f"{name_of(known)!r}. Give endpoint= to one of them."
            )
        added = Rule(
            rule,
            endpoint=endpoint,
            methods=methods,
            provide_automatic_options=automatic,
            origin=str(site),
            **options,
        )
        added.limits = limits
        self.url_map.add(added)
        if view_func is not None:
            self.view_functions[endpoint] = view_func

    def _check_domain(self, rule: str, site: object, options: dict[str, Any]) -> None:
        """Refuse a host or subdomain that the application would not look at, or never match."""
        for key, matches in (
            ("host", self.url_map.host_matching),
            ("subdomain", self.url_map.subdomain_matching),
        ):
            if options.get(key) and not matches:
                raise SetupError(
                    f"The rule {rule!r} ({site}) has {key}={options[key]!r}, but the application "
                    f"does not match it. Make it with Erlen(..., {key}_matching=True)."
                )

    def endpoint(self, endpoint: str) -> Callable[[F], F]:
        """Attach the decorated view to an endpoint, in place of one that it may have."""
        self.check_open("endpoint")
        check_used_with_parentheses("endpoint", endpoint)

        def register(view: F) -> F:
            self.view_functions[endpoint] = view
            return view

        return register

    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Register a blueprint and those nested in it.

        Args:
            blueprint: Closed for declarations from now on.
            options: ``url_prefix``, ``subdomain``, ``url_defaults``, ``name``; they win over the
                blueprint's own.

        Raises:
            SetupError: The name is taken.
        """
        self.check_open("register_blueprint")
        blueprint.register(self, options)

    def iter_blueprints(self) -> ValuesView[Blueprint]:
        """Return the blueprints in order of registration."""
        return self.blueprints.values()

    def teardown_appcontext(self, function: F) -> F:
        """Call at the end of every exchange and application context, with the error or ``None``."""
        self.check_open("teardown_appcontext")
        check_callable("teardown_appcontext", function)
        self.teardown_appcontext_functions.append(function)
        return function

    def shell_context_processor(self, function: F) -> F:
        """Give ``erlen shell`` the names in the dictionary that *function* returns."""
        check_callable("shell_context_processor", function)
        self.shell_context_processors.append(function)
        return function

    # --- what lower floors ask --------------------------------------------------------------------

    def declarations_of(self, blueprint: str) -> Sequence[Declarations]:
        """Return what the endpoints of a dotted blueprint obey, the application's first."""
        found = [self.declared]
        parts = blueprint.split(".")
        for count in range(1, len(parts) + 1):
            member = self.blueprints.get(".".join(parts[:count]))
            if member is not None:
                found.append(member.declared)
        return found

    def bind_url_map(self, exchange: Connection | None) -> MapAdapter:
        """Return the URL builder for an exchange, or for the configured server when ``None``."""
        config = self.config
        if exchange is None:
            return self.url_map.bind(
                config["SERVER_NAME"] or "",
                script_name=config["APPLICATION_ROOT"],
                url_scheme=config["PREFERRED_URL_SCHEME"],
            )
        server_name, subdomain = exchange.host or config["SERVER_NAME"] or "", None
        if self.url_map.subdomain_matching and config["SERVER_NAME"]:
            server_name = config["SERVER_NAME"]
            admit = (self._plan or Plan(self)).admit
            subdomain = admit.domain(exchange.scope, exchange.host)
        return self.url_map.bind(
            server_name,
            subdomain=subdomain,
            script_name=exchange.root_path,
            url_scheme=exchange.scheme,
            default_method=exchange.method,
            path_info=exchange.path,
        )

    def inject_url_defaults(self, endpoint: str, values: dict[str, Any]) -> None:
        """Let the ``url_defaults`` functions of the endpoint's scope add values."""
        if endpoint == "static" or endpoint.endswith(".static"):
            from erlen.files import add_version

            add_version(self, endpoint, values)
        for scope in self.declarations_of(endpoint.rpartition(".")[0]):
            for function in scope.url_defaults:
                function(endpoint, values)

    def make_default_options_response(self) -> Response:
        """Answer an automatic OPTIONS: 204 with ``Allow``; override to answer otherwise."""
        plan = self._plan or Plan(self).compile()
        allowed = plan.allowed_methods(current().scope)
        return self.response_class(status=204, headers={"Allow": ", ".join(allowed)})

    def log_exception(self, error: BaseException) -> None:
        """Log an error that nothing handled, once, with its traceback; override to report it."""
        context = current_context.get(None)
        where = "in an application context"
        if isinstance(context, TaskContext):
            where = f"in {context.description}"
        elif context is not None and context.scope is not None:
            exchange = context.exchange
            where = f"on {printable(exchange.method)} {printable(exchange.path)}"
            if isinstance(exchange, WebSocket):
                where = f"on WebSocket {printable(exchange.path)} of {exchange.remote_addr}"
        if (name := request_id.get()) is not None:
            where += f" (request {name})"
        self.logger.error("Exception %s", where, exc_info=error)

    def ensure_async(self, function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        """Return *function* as a coroutine function; a ``def`` runs in the worker thread."""
        return adapt(function)

    # --- URLs and responses -----------------------------------------------------------------------

    def url_for(
        self,
        endpoint: str,
        /,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: Any,
    ) -> str:
        """Build the URL of an endpoint; see :func:`erlen.links.build_url`."""
        return build_url(
            self,
            endpoint,
            values,
            anchor=_anchor,
            method=_method,
            scheme=_scheme,
            external=_external,
        )

    def make_response(self, value: Any) -> Response:
        """Return the response that a view's return value stands for; ``TypeError`` for none."""
        return Coercion(self.response_class, self.json).respond(value)

    @property
    def json(self) -> JSONProvider:
        """The JSON provider, made at first use.

        Raises:
            MissingExtraError: The package of ``JSON_PROVIDER`` is not installed.
        """
        if self._json is None:
            from erlen.json_providers import create_provider

            make = self.json_provider_class
            self._json = make(self) if make else create_provider(self.config["JSON_PROVIDER"], self)
        return self._json

    @json.setter
    def json(self, provider: JSONProvider) -> None:
        self._json = provider

    # --- contexts ---------------------------------------------------------------------------------

    def app_context(self) -> "ManualContext":
        """Return an application context, for ``with`` or ``async with``."""
        from erlen.pipeline.manual import ManualContext

        return ManualContext.outside(self._plan or Plan(self))

    def test_request_context(self, path: str = "/", **options: Any) -> "ManualContext":
        """Return a context in which ``request`` works, without serving it.

        Args:
            path: Path with query, or a whole URL.
            options: ``method``, ``headers``, ``json``, ``data``, ``query_string``, ``base_url``,
                as for the test client.
        """
        from erlen.testing.request_context import request_scope

        scope, body = request_scope(self, path, **options)
        from erlen.pipeline.manual import ManualContext

        return ManualContext.inside(self._plan or Plan(self).compile(), scope, body)

    async def preprocess_request(self) -> Any:
        """Run the before hooks of the current context; return what the first answers, if any."""
        context = current()
        return await call_before(context.line, context)

    # --- parts that load when they are used -------------------------------------------------------

    @functools.cached_property
    def logger(self) -> logging.Logger:
        """The application's logger, visible without configuration."""
        return create_logger(self.name, debug=self.debug)

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        debug: bool | None = None,
        **options: Any,
    ) -> None:
        """Serve on uvicorn until interrupted; for development.

        Args:
            host: Address to listen on; that of ``SERVER_NAME`` or 127.0.0.1.
            port: Port, 0 for any free one; that of ``SERVER_NAME`` or 5000.
            debug: Sets :attr:`debug` when given.
            options: Passed to uvicorn's ``Config``.
        """
        from erlen.serving import run

        if debug is not None:
            self.debug = debug
        run(self, host=host, port=port, **options)

    def test_client(self, **options: Any) -> "Client":
        """Return a test client; see :class:`erlen.testing.Client`."""
        from erlen.testing import Client

        return Client(self, **options)

    def test_cli_runner(self, **options: Any) -> "CLIRunner":
        """Return a runner of the application's commands (``erlen.cli.runner.CLIRunner``)."""
        from erlen.cli.runner import CLIRunner

        return CLIRunner(self, **options)

    @functools.cached_property
    def cli(self) -> "AppGroup":
        """The group of the application's commands; decorate with ``@app.cli.command()``."""
        from erlen.cli.group import AppGroup

        return AppGroup(self.name)

    def open_instance_resource(
        self, path: str, mode: str = "rb", encoding: str | None = "utf-8"
    ) -> IO[Any]:
        """Open a file below the instance folder, also for writing. It blocks."""
        return Path(self.instance_path, path).open(mode, encoding=None if "b" in mode else encoding)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


current_app = cast(Erlen, Proxy("app", "current_app"))
