"""Floor 7: a blueprint: declarations that wait for an application, a prefix and a name."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar  # noqa: TID251  # click loads late

from erlen.exceptions import SetupError
from erlen.location import find_root_path
from erlen.pipeline.folders import Folders
from erlen.pipeline.registry import (
    Naming,
    Registry,
    check_used_with_parentheses,
    declaration_site,
    endpoint_of,
)

if TYPE_CHECKING:
    from erlen.cli.group import AppGroup

F = TypeVar("F", bound=Callable[..., Any])


class BlueprintSetupState:
    """One registration of a blueprint: where its rules go.

    Attributes:
        app: The application.
        blueprint: What is registered.
        options: What ``register_blueprint`` was given.
        first_registration: Whether the application sees this blueprint for the first time.
        url_prefix: Joined prefixes, ``None`` for none.
        subdomain: Joined subdomains, ``None`` for none.
        name: The name under which it is registered, without the parents'.
        name_prefix: The parents' dotted name, ``""`` for none.
        url_defaults: Values for the rules' ``defaults``.
    """

    def __init__(
        self, blueprint: "Blueprint", app: Any, options: dict[str, Any], first_registration: bool
    ) -> None:
        """Options win over what the blueprint was made with."""
        self.app = app
        self.blueprint = blueprint
        self.options = options
        self.first_registration = first_registration
        self.url_prefix: str | None = _given(options.get("url_prefix"), blueprint.url_prefix)
        self.subdomain: str | None = _given(options.get("subdomain"), blueprint.subdomain)
        self.name = _checked_name(options.get("name", blueprint.name))
        self.name_prefix: str = options.get("name_prefix", "")
        self.url_defaults = {**blueprint.url_values_defaults, **options.get("url_defaults", {})}

    @property
    def dotted_name(self) -> str:
        """The name with the parents' in front, the key in ``app.blueprints``."""
        return f"{self.name_prefix}.{self.name}".lstrip(".")

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        """Register a rule of the blueprint with the application."""
        options.setdefault("subdomain", self.subdomain)
        defaults = {**self.url_defaults, **(options.pop("defaults", None) or {})}
        self.app.add_url_rule(
            join_prefix(self.url_prefix, rule),
            f"{self.dotted_name}.{_checked_endpoint(endpoint or endpoint_of(view_func))}",
            view_func,
            defaults=defaults or None,
            **options,
        )


class Blueprint(Folders, Registry):
    """A group of routes, hooks and handlers, registered with ``app.register_blueprint``.

    Attributes:
        name: One word; the first part of its endpoints.
        url_prefix: Put before its rules.
    """

    is_blueprint = True

    def __init__(
        self,
        name: str,
        import_name: str,
        static_folder: str | None = None,
        static_url_path: str | None = None,
        template_folder: str | None = None,
        url_prefix: str | None = None,
        subdomain: str | None = None,
        url_defaults: dict[str, Any] | None = None,
        root_path: str | None = None,
        cli_group: str | None = "",
    ) -> None:
        """Make a blueprint.

        Args:
            name: Not empty, without a dot.
            import_name: ``__name__``.
            static_folder: Its files are served, relative to *root_path*; ``None`` for none.
            static_url_path: Path of the static files below the prefix; ``/`` and the folder's name.
            template_folder: Searched after the application's, relative to *root_path*.
            url_prefix: Put before each rule.
            subdomain: Of its rules, where subdomain matching is on.
            url_defaults: Values for each rule's ``defaults``.
            root_path: Directory of the blueprint; that of the module when not given.
            cli_group: Name of its group of commands, its own name when not given; ``None`` puts
                them among those of the application.

        Raises:
            ValueError: The name is empty or has a dot.
        """
        super().__init__()
        self.name = _checked_name(name)
        self.import_name = import_name
        self.template_folder = template_folder
        self.url_prefix = url_prefix
        self.subdomain = subdomain
        self.url_values_defaults = url_defaults or {}
        self.root_path = root_path or find_root_path(import_name)
        self.set_static_folder(static_folder, static_url_path)
        self.cli_group = cli_group
        self._deferred: list[Callable[[BlueprintSetupState], object]] = []
        self._children: list[tuple[Blueprint, dict[str, Any]]] = []

    @functools.cached_property
    def cli(self) -> "AppGroup":
        """The group of its commands; decorate with ``@blueprint.cli.command()``."""
        from erlen.cli.group import AppGroup

        return AppGroup(self.name)

    # --- recording --------------------------------------------------------------------------------

    def record(self, function: Callable[[BlueprintSetupState], object]) -> None:
        """Call *function* with the state at each registration; what it returns is ignored."""
        self.check_open("record")
        self._deferred.append(function)

    def record_once(self, function: Callable[[BlueprintSetupState], object]) -> None:
        """Call *function* with the state at the first registration with an application only."""
        self.check_open("record_once")
        self.record(lambda state: function(state) if state.first_registration else None)

    def make_setup_state(
        self, app: Any, options: dict[str, Any], first_registration: bool = False
    ) -> BlueprintSetupState:
        """Return the state of one registration; override to use another class."""
        return BlueprintSetupState(self, app, options, first_registration)

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a rule, below the prefix; as the application's method of this name.

        Raises:
            ValueError: The endpoint has a dot.
            TypeError: There is neither an endpoint nor a view with a name.
        """
        self.check_open("add_url_rule")
        endpoint = _checked_endpoint(endpoint or endpoint_of(view_func))
        options["origin"] = declaration_site()
        options["provide_automatic_options"] = provide_automatic_options
        self.record(lambda state: state.add_url_rule(rule, endpoint, view_func, **options))

    def endpoint(self, endpoint: str) -> Callable[[F], F]:
        """Attach the decorated view to an endpoint whose rule was added without a view."""
        self.check_open("endpoint")
        check_used_with_parentheses("endpoint", endpoint)
        endpoint = _checked_endpoint(endpoint)

        def register(view: F) -> F:
            self.record(lambda state: state.app.endpoint(f"{state.dotted_name}.{endpoint}")(view))
            return view

        return register

    def register_blueprint(self, blueprint: "Blueprint", **options: Any) -> None:
        """Nest another blueprint: its prefix, name and hooks come after this one's.

        Raises:
            SetupError: It is this blueprint itself.
        """
        self.check_open("register_blueprint")
        if blueprint is self:
            raise SetupError(
                f"The blueprint {self.name!r} was registered on itself. Register it on another one."
            )
        self._children.append((blueprint, options))

    def register(self, app: Any, options: dict[str, Any]) -> None:
        """Carry everything over to *app*; called by ``register_blueprint`` of the application.

        Raises:
            SetupError: The name is taken.
        """
        state = self.make_setup_state(app, options, self not in app.blueprints.values())
        name = state.dotted_name
        taken = app.blueprints.get(name)
        if taken is not None:
            other = "this" if taken is self else "a different"
            raise SetupError(
                f"The name {name!r} is already registered for {other} blueprint. "
                "Pass name= to register_blueprint to give it another."
            )
        app.blueprints[name] = self
        self.frozen = True
        if self.has_static_folder:
            rule = f"{self.static_url_path}/<path:filename>"
            state.add_url_rule(
                rule, "static", self.send_static_file, provide_automatic_options=False
            )
        for function in self._deferred:
            function(state)
        if "cli" in vars(self):  # else nobody has declared a command, and click is not loaded
            self._add_commands(state)
        for child, child_options in self._children:
            child.register(app, _nested(state, child, child_options))

    def _add_commands(self, state: BlueprintSetupState) -> None:
        group = state.options.get("cli_group", self.cli_group)
        if group is None:
            state.app.cli.commands.update(self.cli.commands)
        else:
            state.app.cli.add_command(self.cli, group or state.dotted_name)

    # --- hooks of the whole application -----------------------------------------------------------

    def _on_app(self, call: str, method: str, function: F) -> F:
        self.check_open(call)
        self.record_once(lambda state: getattr(state.app, method)(function))
        return function

    def before_app_request(self, function: F) -> F:
        """``before_request`` of the whole application."""
        return self._on_app("before_app_request", "before_request", function)

    def after_app_request(self, function: F) -> F:
        """``after_request`` of the whole application."""
        return self._on_app("after_app_request", "after_request", function)

    def teardown_app_request(self, function: F) -> F:
        """``teardown_request`` of the whole application."""
        return self._on_app("teardown_app_request", "teardown_request", function)

    def before_app_websocket(self, function: F) -> F:
        """``before_websocket`` of the whole application."""
        return self._on_app("before_app_websocket", "before_websocket", function)

    def after_app_websocket(self, function: F) -> F:
        """``after_websocket`` of the whole application."""
        return self._on_app("after_app_websocket", "after_websocket", function)

    def teardown_app_websocket(self, function: F) -> F:
        """``teardown_websocket`` of the whole application."""
        return self._on_app("teardown_app_websocket", "teardown_websocket", function)

    def before_app_serving(self, function: F) -> F:
        """``before_serving`` of the application."""
        return self._on_app("before_app_serving", "before_serving", function)

    def while_app_serving(self, function: F) -> F:
        """``while_serving`` of the application."""
        return self._on_app("while_app_serving", "while_serving", function)

    def after_app_serving(self, function: F) -> F:
        """``after_serving`` of the application."""
        return self._on_app("after_app_serving", "after_serving", function)

    def app_context_processor(self, function: F) -> F:
        """``context_processor`` of the whole application."""
        return self._on_app("app_context_processor", "context_processor", function)

    def app_url_value_preprocessor(self, function: F) -> F:
        """``url_value_preprocessor`` of the whole application."""
        return self._on_app("app_url_value_preprocessor", "url_value_preprocessor", function)

    def app_url_defaults(self, function: F) -> F:
        """``url_defaults`` of the whole application."""
        return self._on_app("app_url_defaults", "url_defaults", function)

    # --- templates of the whole application -------------------------------------------------------

    @property
    def app_template_filter(self) -> Naming:
        """``template_filter`` of the application, with or without parentheses."""
        return Naming(self.add_app_template_filter)

    @property
    def app_template_test(self) -> Naming:
        """``template_test`` of the application, with or without parentheses."""
        return Naming(self.add_app_template_test)

    @property
    def app_template_global(self) -> Naming:
        """``template_global`` of the application, with or without parentheses."""
        return Naming(self.add_app_template_global)

    def add_app_template_filter(
        self, function: Callable[..., Any], name: str | None = None
    ) -> None:
        """``add_template_filter`` of the application."""
        self.check_open("add_app_template_filter")
        self.record_once(lambda state: state.app.add_template_filter(function, name))

    def add_app_template_test(self, function: Callable[..., Any], name: str | None = None) -> None:
        """``add_template_test`` of the application."""
        self.check_open("add_app_template_test")
        self.record_once(lambda state: state.app.add_template_test(function, name))

    def add_app_template_global(
        self, function: Callable[..., Any], name: str | None = None
    ) -> None:
        """``add_template_global`` of the application."""
        self.check_open("add_app_template_global")
        self.record_once(lambda state: state.app.add_template_global(function, name))

    def app_errorhandler(self, code_or_exception: type[Exception] | int) -> Callable[[F], F]:
        """``errorhandler`` of the whole application."""
        self.check_open("app_errorhandler")

        def register(function: F) -> F:
            self.record_once(
                lambda state: state.app.register_error_handler(code_or_exception, function)
            )
            return function

        return register

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


def _checked_name(name: str) -> str:
    if not name or "." in name:
        raise ValueError(
            f"The blueprint name {name!r} is empty or has a dot. "
            "Give one word; dots join the names of nested blueprints."
        )
    return name


def _checked_endpoint(endpoint: str) -> str:
    if "." in endpoint:
        raise ValueError(
            f"The endpoint {endpoint!r} has a dot, which separates the names of blueprints. "
            "Give endpoint= without one."
        )
    return endpoint


def _given(option: str | None, default: str | None) -> str | None:
    return default if option is None else option


def join_prefix(prefix: str | None, rule: str) -> str:
    """Return a rule below a prefix, with one slash between; the empty rule is the prefix itself."""
    if prefix is None:
        return rule
    return f"{prefix.rstrip('/')}/{rule.lstrip('/')}" if rule else prefix


def _nested(
    parent: BlueprintSetupState, child: Blueprint, options: dict[str, Any]
) -> dict[str, Any]:
    """Return a child's options: prefixes and subdomains joined, the name under the parent's."""
    prefix = _given(options.get("url_prefix"), child.url_prefix)
    if parent.url_prefix is not None:
        prefix = parent.url_prefix if prefix is None else join_prefix(parent.url_prefix, prefix)
    subdomain = _given(options.get("subdomain"), child.subdomain)
    if parent.subdomain is not None:
        subdomain = parent.subdomain if subdomain is None else f"{subdomain}.{parent.subdomain}"
    return {
        **options,
        "url_prefix": prefix,
        "subdomain": subdomain,
        "name_prefix": parent.dotted_name,
    }
