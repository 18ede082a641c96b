"""What users import from Flask and Quart is here under the same name, or the table says where."""

import inspect
from importlib import import_module

import pytest

import erlen
from erlen import sync, testing

FLASK = """
Blueprint Config Request Response abort after_this_request appcontext_popped appcontext_pushed
appcontext_tearing_down before_render_template copy_current_request_context current_app flash g
get_flashed_messages get_template_attribute got_request_exception has_app_context
has_request_context json jsonify make_response message_flashed redirect render_template
render_template_string request request_finished request_started request_tearing_down send_file
send_from_directory session stream_template stream_template_string stream_with_context
template_rendered url_for
"""

QUART = """
Markup after_this_websocket copy_current_app_context copy_current_websocket_context escape
got_websocket_exception has_websocket_context make_push_promise signals_available websocket
websocket_finished websocket_started websocket_tearing_down
"""

SIGNALS = """
appcontext_popped appcontext_pushed appcontext_tearing_down before_render_template
got_request_exception message_flashed request_finished request_started request_tearing_down
template_rendered got_background_exception got_serving_exception got_websocket_exception
signals_available websocket_finished websocket_received websocket_sent websocket_started
websocket_tearing_down
"""

#: Module of Flask or Quart that is a module here too → its names that are the same.
MODULES = {
    "": FLASK + QUART,
    "views": "View MethodView",
    "cli": "AppGroup ScriptInfo with_appcontext",
    "config": "Config ConfigAttribute",
    "json": "dump dumps load loads",
    "sessions": """
        NullSession SecureCookieSession SecureCookieSessionInterface SessionInterface SessionMixin
        TaggedJSONSerializer
    """,
    "signals": SIGNALS,
    "templating": """
        Environment render_template render_template_string stream_template stream_template_string
    """,
    "testing": "",
    "typing": """
        AfterRequestCallable BeforeRequestCallable ErrorHandlerCallable HeadersValue
        ResponseReturnValue ResponseValue RouteCallable StatusCode TeardownCallable
        TemplateContextProcessorCallable TemplateFilterCallable TemplateGlobalCallable
        TemplateTestCallable URLDefaultCallable URLValuePreprocessorCallable
    """,
}

#: Name there → the object here that plays its part.
RENAMED = {
    "flask.Flask": "erlen.Erlen",
    "flask.cli.FlaskGroup": "erlen.cli.main.main",
    "flask.cli.run_command": "erlen.cli.run.run_command",
    "flask.cli.shell_command": "erlen.cli.shell.shell_command",
    "flask.ctx.AppContext": "erlen.context.Context",
    "flask.ctx.RequestContext": "erlen.context.Context",
    "flask.ctx.after_this_request": "erlen.after_this_request",
    "flask.globals.current_app": "erlen.current_app",
    "flask.globals.g": "erlen.g",
    "flask.globals.request": "erlen.request",
    "flask.globals.session": "erlen.session",
    "flask.json.provider.DefaultJSONProvider": "erlen.json.DefaultJSONProvider",
    "flask.json.provider.JSONProvider": "erlen.protocols.JSONProvider",
    "flask.json.tag.JSONTag": "erlen.sessions.JSONTag",
    "flask.json.tag.TaggedJSONSerializer": "erlen.sessions.TaggedJSONSerializer",
    "flask.logging.create_logger": "erlen.logs.create_logger",
    "flask.logging.default_handler": "erlen.logs.default_handler",
    "flask.logging.has_level_handler": "erlen.logs.has_level_handler",
    "flask.testing.FlaskCliRunner": "erlen.cli.runner.CLIRunner",
    "flask.testing.FlaskClient": "erlen.testing.Client",
    "flask.wrappers.Request": "erlen.Request",
    "flask.wrappers.Response": "erlen.Response",
    "quart.Quart": "erlen.Erlen",
    "quart.Websocket": "erlen.WebSocket",
    "quart.datastructures.FileStorage": "erlen.UploadFile",
    "quart.testing.QuartClient": "erlen.testing.Client",
    "quart.testing.WebsocketResponseError": "erlen.testing.WebSocketRejected",
    "quart.utils.run_sync": "erlen.run_sync",
    "quart.wrappers.Websocket": "erlen.WebSocket",
    "werkzeug.datastructures.FileStorage": "erlen.UploadFile",
    "werkzeug.datastructures.Headers": "erlen.wire.headers.Headers",
    "werkzeug.datastructures.MultiDict": "erlen.wire.multidict.MultiDict",
    "werkzeug.exceptions.HTTPException": "erlen.exceptions.HTTPException",
    "werkzeug.exceptions.NotFound": "erlen.exceptions.NotFound",
    "werkzeug.routing.BaseConverter": "erlen.routing.BaseConverter",
    "werkzeug.routing.ValidationError": "erlen.routing.ValidationError",
    "werkzeug.utils.secure_filename": "erlen.wire.filenames.secure_filename",
}

#: Name there → why it is nowhere here, and what is used instead.
ABSENT = {
    "flask.cli.load_dotenv": "the command line will read .env files itself",
    "flask.cli.pass_script_info": "click's pass_obj, whose object is the ScriptInfo",
    "flask.testing.EnvironBuilder": "no WSGI environ is built: app.test_request_context(path, ...)",
    "quart.testing.make_test_body_with_headers": "the client's json=, form= and data= arguments",
    "quart.testing.make_test_headers_path_and_query_string": "the client's query_string= argument",
    "quart.testing.make_test_scope": "app.test_request_context(path, ...)",
}


def named(path: str) -> object:
    """Return the object of a dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, names in MODULES.items() for name in names.split()],
)
def test_a_name_can_be_imported_as_it_was(module: str, name: str) -> None:
    assert named(f"{f'erlen.{module}' if module else 'erlen'}.{name}") is not None


@pytest.mark.parametrize(("there", "here"), RENAMED.items())
def test_a_name_has_one_here_that_plays_its_part(there: str, here: str) -> None:
    assert named(here) is not None


def test_no_absent_name_is_here() -> None:
    for there in ABSENT:
        name = there.rpartition(".")[2]
        assert not any(hasattr(module, name) for module in (erlen, sync, testing))


def test_the_public_names_are_sorted_and_exist() -> None:
    assert erlen.__all__ == sorted(set(erlen.__all__))
    assert [name for name in erlen.__all__ if not hasattr(erlen, name)] == []


def test_the_public_names_are_blocking_too() -> None:
    assert [name for name in erlen.__all__ if name not in sync.__all__] == []
    for name in sync.__all__:
        assert not inspect.iscoroutinefunction(getattr(sync, name)), name
