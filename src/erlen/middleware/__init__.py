"""Floor 8: ASGI middleware, one idea in each module; works with any ASGI application."""

from erlen.middleware.compression import Compression
from erlen.middleware.cors import CORS
from erlen.middleware.https_redirect import HTTPSRedirect
from erlen.middleware.proxy_fix import ProxyFix
from erlen.middleware.request_id import RequestID, RequestIDFilter, current_request_id
from erlen.middleware.security_headers import SecurityHeaders, csp_nonce
from erlen.middleware.trusted_hosts import TrustedHosts

__all__ = [
    "CORS",
    "Compression",
    "HTTPSRedirect",
    "ProxyFix",
    "RequestID",
    "RequestIDFilter",
    "SecurityHeaders",
    "TrustedHosts",
    "csp_nonce",
    "current_request_id",
]
