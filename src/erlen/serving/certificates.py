"""Floor 8: https for the machine at hand, with a certificate that is made for the occasion."""

import datetime as dt
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

_DAYS = 30


@dataclass(frozen=True)
class AdHoc:
    """A self-signed certificate with its key, both in PEM form.

    Pickled, it goes from process to process: browsers are asked once to trust it. As uvicorn's
    ``ssl_context_factory`` it makes the context.
    """

    certificate: bytes
    key: bytes

    @classmethod
    def make(cls, host: str | None = None) -> Self:
        """Make one for ``localhost``, the loopback addresses and *host*, good for 30 days.

        Raises:
            ImportError: cryptography is not installed.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        names: list[x509.GeneralName] = []
        for each in {"localhost", "127.0.0.1", "::1", host or "localhost"}:
            try:
                names.append(x509.IPAddress(ip_address(each)))
            except ValueError:
                names.append(x509.DNSName(each))
        now = dt.datetime.now(dt.UTC)
        begin, end = now - dt.timedelta(1), now + dt.timedelta(_DAYS)
        builder = x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), begin, end
        ).add_extension(x509.SubjectAlternativeName(names), critical=False)
        pem = serialization.Encoding.PEM
        return cls(
            builder.sign(key, hashes.SHA256()).public_bytes(pem),
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )

    def __call__(
        self, _config: Any = None, _default: Callable[[], ssl.SSLContext] | None = None
    ) -> ssl.SSLContext:
        """Return a context that serves by it; what uvicorn gives is not needed.

        OpenSSL reads files only: they are in a directory of this user's, for that moment.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with TemporaryDirectory(prefix="erlen-") as folder:
            file = Path(folder, "certificate.pem")
            file.write_bytes(self.certificate + self.key)
            context.load_cert_chain(file)
        return context
