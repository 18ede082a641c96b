"""Flask's vocabulary on an async core: HTTP and WebSocket views from declaration to the wire."""

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
from erlen.exceptions import WebSocketDisconnect, WebSocketMessageError, abort
from erlen.exchange.request import Request
from erlen.exchange.response import Response
from erlen.exchange.websocket import WebSocket
from erlen.links import url_for
from erlen.pages import render_template, render_template_string
from erlen.proxies import g, request, websocket
from erlen.replies import jsonify, make_response, redirect, stream_with_context

__all__ = [
    "Blueprint",
    "Config",
    "Erlen",
    "Markup",
    "Request",
    "Response",
    "WebSocket",
    "WebSocketDisconnect",
    "WebSocketMessageError",
    "abort",
    "after_this_request",
    "after_this_websocket",
    "current_app",
    "escape",
    "g",
    "has_app_context",
    "has_request_context",
    "has_websocket_context",
    "jsonify",
    "make_response",
    "redirect",
    "render_template",
    "render_template_string",
    "request",
    "stream_with_context",
    "url_for",
    "websocket",
]
