"""Floor 3: what the server tells of the encryption of a connection.

Source: ASGI specification, TLS extension 0.2.
"""

from typing import NamedTuple

from erlen.protocols import Scope


class TLS(NamedTuple):
    """The encryption of a connection, and who the client has proved to be.

    SAFETY: it is of the connection to this server. Behind a proxy that ends TLS there is none, and
    nothing that a field of the request says comes here.

    Attributes:
        server_cert: PEM text of the server's certificate.
        client_cert_chain: PEM texts of the client's certificate and those that vouch for it; empty
            when it sent none.
        client_cert_name: Distinguished name of the client's subject (RFC 4514), when the server
            has verified it.
        client_cert_error: Why the client's certificate was not verified.
        tls_version: As in the protocol, 0x0303 for 1.2 and 0x0304 for 1.3.
        cipher_suite: Its number in IANA's registry, 0x1301 for one.
    """

    server_cert: str | None
    client_cert_chain: tuple[str, ...]
    client_cert_name: str | None
    client_cert_error: str | None
    tls_version: int | None
    cipher_suite: int | None

    @property
    def client_is_verified(self) -> bool:
        """Whether the client has a certificate that the server found to be good."""
        return bool(self.client_cert_name) and self.client_cert_error is None


def tls_of(scope: Scope) -> TLS | None:
    """Return what *scope* tells, ``None`` when it tells nothing."""
    told = (scope.get("extensions") or {}).get("tls")
    if told is None:
        return None
    return TLS(
        told.get("server_cert"),
        tuple(told.get("client_cert_chain") or ()),
        told.get("client_cert_name"),
        told.get("client_cert_error"),
        told.get("tls_version"),
        told.get("cipher_suite"),
    )
