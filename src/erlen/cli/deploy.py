"""Floor 8: settings with which an application should not face the world."""

import os
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from erlen.app import Erlen
from erlen.cli.deploy_limits import GIBIBYTE, lifted_limits
from erlen.cli.environment import is_production
from erlen.cli.findings import Finding
from erlen.exceptions import SetupError
from erlen.middleware.proxy_fix import ProxyFix
from erlen.middleware.trusted_hosts import TrustedHosts
from erlen.sessions.keys import check_secret_key

#: Limits that ``None`` turns off.
_LIMITS = (
    "MAX_CONTENT_LENGTH", "MAX_FORM_MEMORY_SIZE", "MAX_FORM_PARTS", "MAX_FORM_FILES",
    "BODY_TIMEOUT", "SEND_TIMEOUT",
)  # fmt: skip

#: Limit → the largest value that still is one, and its unit.
_LARGEST: dict[str, tuple[int, str]] = {
    "MAX_CONTENT_LENGTH": (GIBIBYTE, "bytes"),
    "MAX_FORM_MEMORY_SIZE": (GIBIBYTE, "bytes"),
    "MAX_WEBSOCKET_MESSAGE_SIZE": (GIBIBYTE, "bytes"),
    "MAX_HEADER_SIZE": (GIBIBYTE, "bytes"),
    "MAX_URL_LENGTH": (GIBIBYTE, "bytes"),
    "UPLOAD_SPOOL_SIZE": (GIBIBYTE, "bytes"),
    "UPLOAD_SPOOL_TOTAL": (GIBIBYTE, "bytes"),
    "MAX_FORM_PARTS": (1_000_000, "parts"),
    "MAX_FORM_FILES": (1_000_000, "files"),
    "MAX_HEADER_COUNT": (1_000_000, "fields"),
    "MAX_QUERY_ARGS": (1_000_000, "arguments"),
    "JSON_MAX_DEPTH": (1000, "levels"),
    "BODY_TIMEOUT": (24 * 3600, "seconds"),
    "SEND_TIMEOUT": (24 * 3600, "seconds"),
}


def check_deployment(app: Erlen) -> Iterator[Finding]:
    """Give each unsafe setting by its name, and where the code of the application lifts a limit.

    No value of a secret is in what it says.
    """
    for name, text in _unsafe(app):
        yield Finding(name, 0, text)
    yield from lifted_limits(app)


def _unsafe(app: Erlen) -> Iterator[tuple[str, str]]:
    config = app.config
    if not is_production():
        yield "ERLEN_ENV", "is not 'production', which refuses debug mode and weak keys. Set it."
    if app.debug:
        yield "DEBUG", "is on: pages show source and values. Unset ERLEN_DEBUG."
    if config["TESTING"]:
        yield "TESTING", "is on: exceptions leave the application. Set it in tests only."
    yield from _keys(app)
    if not config["TRUSTED_HOSTS"] and TrustedHosts not in {make for make, _ in app._middleware}:
        yield "TRUSTED_HOSTS", "is empty: any Host is believed. List the names of the application."
    yield from _session(config)
    if not config["CSRF_PROTECTION"]:
        yield "CSRF_PROTECTION", "is off: pages of other sites can send requests. Use @csrf_exempt."
    yield from _limits(app)
    yield from _proxies(app)


def _session(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not config["SESSION_COOKIE_SECURE"] and config["SESSION_COOKIE_SECURE"] is not None:
        yield "SESSION_COOKIE_SECURE", "is off: the session travels over http. Set True."
    if not config["SESSION_COOKIE_HTTPONLY"]:
        yield "SESSION_COOKIE_HTTPONLY", "is off: scripts can read the session. Leave it out."
    if (same_site := config["SESSION_COOKIE_SAMESITE"]) in {None, "None"}:
        text = f"is {same_site!r}: pages of other sites can send the session along. Leave it out."
        yield "SESSION_COOKIE_SAMESITE", text
    if config["SESSION_OVERSIZE"] != "error":
        yield "SESSION_OVERSIZE", "is 'warn': what browsers do not keep is lost. Leave it out."


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
    for name, (largest, unit) in _LARGEST.items():
        value = app.config[name]
        if isinstance(value, int | float) and value > largest:
            yield name, f"is {value:,}, more than {largest:,} {unit}. Lower it."


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
