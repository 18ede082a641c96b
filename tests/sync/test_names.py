"""What can be imported from ``erlen.sync``: surface section 40."""

import subprocess
import sys

import pytest

import erlen
from erlen import sync

#: What authors import from ``flask`` and ``quart``, as far as erlen has it.
FLASK = {
    "Blueprint", "Config", "Request", "Response", "abort", "after_this_request",
    "appcontext_popped", "appcontext_pushed", "appcontext_tearing_down", "before_render_template",
    "copy_current_request_context", "current_app", "flash", "g", "get_flashed_messages",
    "get_template_attribute", "got_request_exception", "has_app_context", "has_request_context",
    "json", "jsonify", "make_response", "message_flashed", "redirect", "render_template",
    "render_template_string", "request", "request_finished", "request_started",
    "request_tearing_down", "send_file", "send_from_directory", "session", "stream_template",
    "stream_template_string", "stream_with_context", "template_rendered", "url_for",
}  # fmt: skip
QUART = {
    "Markup", "ResponseReturnValue", "after_this_websocket", "copy_current_app_context",
    "copy_current_websocket_context", "escape", "got_websocket_exception", "has_websocket_context",
    "make_push_promise", "signals_available", "websocket", "websocket_finished", "websocket_started",
    "websocket_tearing_down",
}  # fmt: skip

#: What is awaited in ``erlen``, or stands for what is.
BLOCKING = {
    "get_template_attribute", "make_push_promise", "render_block", "render_template",
    "render_template_string", "request", "send_file", "send_from_directory", "stream", "stream_template",
    "stream_template_string", "UploadFile", "websocket",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FLASK | QUART | {"Erlen", "render_block", "test_client"}))
def test_name_can_be_imported(name: str) -> None:
    assert name in sync.__all__
    assert hasattr(sync, name)


def test_every_name_of_the_package_is_here() -> None:
    assert set(erlen.__all__) <= set(sync.__all__)


def test_what_does_no_io_is_the_same_object() -> None:
    same = {name for name in erlen.__all__ if getattr(erlen, name) is getattr(sync, name)}
    assert set(erlen.__all__) - same <= BLOCKING


def test_import_loads_nothing_late() -> None:
    late = {"jinja2", "itsdangerous", "multipart", "httpx", "click", "uvicorn"}
    code = f"import sys, erlen.sync; print(*({late!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
