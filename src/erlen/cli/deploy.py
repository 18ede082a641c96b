"""Floor 8: settings with which an application should not face the world."""

import os
from collections.abc import Iterator
from ipaddress import ip_address

from erlen.app import Erlen
from erlen.cli.environment import is_production
from erlen.cli.findings import Finding
from erlen.exceptions import SetupError
from erlen.middleware.proxy_fix import ProxyFix
from erlen.sessions.keys import check_secret_key

_GIBIBYTE = 1024**3

#: Limits that ``None`` turns off.
_LIMITS = (
    "MAX_CONTENT_LENGTH", "MAX_FORM_MEMORY_SIZE", "MAX_FORM_PARTS", "MAX_FORM_FILES",
    "BODY_TIMEOUT", "SEND_TIMEOUT",
)  # fmt: skip

#: Limits in bytes.
_SIZES = (
    "MAX_CONTENT_LENGTH", "MAX_FORM_MEMORY_SIZE", "MAX_WEBSOCKET_MESSAGE_SIZE", "MAX_HEADER_SIZE",
    "MAX_URL_LENGTH", "UPLOAD_SPOOL_SIZE", "UPLOAD_SPOOL_TOTAL",
)  # fmt: skip


def check_deployment(app: Erlen) -> Iterator[Finding]:
    """Give each unsafe setting by its name; no value of a secret is in what it says."""
    for name, text in _unsafe(app):
        yield Finding(name, 0, text)


def _unsafe(app: Erlen) -> Iterator[tuple[str, str]]:
    config = app.config
    if not is_production():
        yield "ERLEN_ENV", "is not 'production', which refuses debug mode and weak keys. Set it."
    if app.debug:
        yield "DEBUG", "is on: pages show source and values. Unset ERLEN_DEBUG."
    if config["TESTING"]:
        yield "TESTING", "is on: exceptions leave the application. Set it in tests only."
    yield from _keys(app)
    if not config["TRUSTED_HOSTS"]:
        yield "TRUSTED_HOSTS", "is empty: any Host is believed. List the names of the application."
    if not config["SESSION_COOKIE_SECURE"] and config["SESSION_COOKIE_SECURE"] is not None:
        yield "SESSION_COOKIE_SECURE", "is off: the session travels over http. Set True."
    if not config["SESSION_COOKIE_HTTPONLY"]:
        yield "SESSION_COOKIE_HTTPONLY", "is off: scripts can read the session. Leave it out."
    if not config["CSRF_PROTECTION"]:
        yield "CSRF_PROTECTION", "is off: pages of other sites can send requests. Use @csrf_exempt."
    yield from _limits(app)
    yield from _proxies(app)


def _keys(app: Erlen) -> Iterator[tuple[str, str]]:
    if not app.config["SECRET_KEY"]:
        yield "SECRET_KEY", "is missing: sessions cannot be written. Set 32 random bytes."
    try:
        weaknesses = check_secret_key({**app.config, "TESTING": False}, debug=False)
    except SetupError as error:  # in production it refuses
        weaknesses = [str(error)]
    for weakness in weaknesses:
        name, _, text = weakness.partition(" ")
        yield name, text


def _limits(app: Erlen) -> Iterator[tuple[str, str]]:
    for name in _LIMITS:
        if app.config[name] is None:
            yield name, "is None: a client decides how much or how long. Set a limit."
    for name in _SIZES:
        size = app.config[name]
        if isinstance(size, int) and size > _GIBIBYTE:
            yield name, f"is {size} bytes, more than 1 GiB. Lower it."


def _proxies(app: Erlen) -> Iterator[tuple[str, str]]:
    """Find what believes proxies while everybody can connect, as far as that is known here."""
    host = os.environ.get("ERLEN_RUN_HOST", "")
    for factory, options in app._middleware:
        if factory is ProxyFix and not options.get("trusted") and _is_public(host):
            text = (
                f"believes every peer, and ERLEN_RUN_HOST is {host}, where clients are peers, too."
            )
            yield "ProxyFix", f"{text} Listen on 127.0.0.1, or give trusted=."


def _is_public(host: str) -> bool:
    try:
        return not ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host not in {"", "localhost"}
