"""Flask's vocabulary on an async core: HTTP and WebSocket views from declaration to the wire."""

from typing import TYPE_CHECKING  # noqa: TID251  # see below

from markupsafe import Markup, escape

from erlen.app import Erlen, current_app
from erlen.blueprint import Blueprint
from erlen.config import Config
from erlen.context import (
    after_this_request,
    after_this_websocket,
    has_app_context,
    has_request_context,
    has_websocket_context,
)
from erlen.events import EventStream, ServerSentEvent
from erlen.exceptions import WebSocketDisconnect, WebSocketMessageError, abort
from erlen.exchange.request import Request
from erlen.exchange.response import Response
from erlen.exchange.websocket import WebSocket
from erlen.exporting import exporting
from erlen.links import url_for
from erlen.pipeline.csrf import csrf_exempt
from erlen.proxies import g, request, websocket
from erlen.signals import (
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    before_render_template,
    got_background_exception,
    got_request_exception,
    got_serving_exception,
    got_websocket_exception,
    message_flashed,
    request_finished,
    request_started,
    request_tearing_down,
    signals_available,
    template_rendered,
    websocket_finished,
    websocket_received,
    websocket_sent,
    websocket_started,
    websocket_tearing_down,
)
from erlen.wire.redirects import is_safe_redirect

if TYPE_CHECKING:  # PERF: these are loaded when they are asked for: 8 ms of an import
    from erlen.copying import (
        copy_current_app_context,
        copy_current_request_context,
        copy_current_websocket_context,
    )
    from erlen.exchange.uploads import UploadFile
    from erlen.files import send_file, send_from_directory
    from erlen.flashing import flash, get_flashed_messages
    from erlen.offload import run_sync
    from erlen.pages import (
        get_template_attribute,
        render_block,
        render_template,
        render_template_string,
        stream_template,
        stream_template_string,
    )
    from erlen.pipeline.pushing import stream
    from erlen.replies import (
        jsonify,
        make_push_promise,
        make_response,
        redirect,
        redirect_local,
        stream_with_context,
    )
    from erlen.sessions.current import session
    from erlen.typing import ResponseReturnValue
    from erlen.wire.filenames import secure_filename
else:
    __getattr__ = exporting(
        __name__,
        {
            "erlen.copying": "copy_current_app_context copy_current_request_context "
            "copy_current_websocket_context",
            "erlen.exchange.uploads": "UploadFile",
            "erlen.files": "send_file send_from_directory",
            "erlen.flashing": "flash get_flashed_messages",
            "erlen.offload": "run_sync",
            "erlen.pages": "get_template_attribute render_block render_template "
            "render_template_string stream_template stream_template_string",
            "erlen.pipeline.pushing": "stream",
            "erlen.replies": "jsonify make_push_promise make_response redirect redirect_local "
            "stream_with_context",
            "erlen.sessions.current": "session",
            "erlen.typing": "ResponseReturnValue",
            "erlen.wire.filenames": "secure_filename",
        },
    )

__all__ = [
    "Blueprint",
    "Config",
    "Erlen",
    "EventStream",
    "Markup",
    "Request",
    "Response",
    "ResponseReturnValue",
    "ServerSentEvent",
    "UploadFile",
    "WebSocket",
    "WebSocketDisconnect",
    "WebSocketMessageError",
    "abort",
    "after_this_request",
    "after_this_websocket",
    "appcontext_popped",
    "appcontext_pushed",
    "appcontext_tearing_down",
    "before_render_template",
    "copy_current_app_context",
    "copy_current_request_context",
    "copy_current_websocket_context",
    "csrf_exempt",
    "current_app",
    "escape",
    "flash",
    "g",
    "get_flashed_messages",
    "get_template_attribute",
    "got_background_exception",
    "got_request_exception",
    "got_serving_exception",
    "got_websocket_exception",
    "has_app_context",
    "has_request_context",
    "has_websocket_context",
    "is_safe_redirect",
    "jsonify",
    "make_push_promise",
    "make_response",
    "message_flashed",
    "redirect",
    "redirect_local",
    "render_block",
    "render_template",
    "render_template_string",
    "request",
    "request_finished",
    "request_started",
    "request_tearing_down",
    "run_sync",
    "secure_filename",
    "send_file",
    "send_from_directory",
    "session",
    "signals_available",
    "stream",
    "stream_template",
    "stream_template_string",
    "stream_with_context",
    "template_rendered",
    "url_for",
    "websocket",
    "websocket_finished",
    "websocket_received",
    "websocket_sent",
    "websocket_started",
    "websocket_tearing_down",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
