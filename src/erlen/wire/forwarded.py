"""Floor 1: what proxies tell of a request that they pass on: Forwarded and the X-Forwarded fields.

Source: RFC 7239. The X-Forwarded fields have no standard; each proxy adds to the right.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from erlen.exceptions import WireError
from erlen.wire.patterns import late

Address: TypeAlias = IPv4Address | IPv6Address

#: SAFETY: each entry is a hop; nobody has so many, and an attacker must not make us read more.
MAX_BYTES: Final = 8 * 1024

_TCHAR: Final = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"
_PAIR: Final = late(rf'({_TCHAR})=(?:({_TCHAR})|"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\.)*)")')
_ESCAPE: Final = late(r"\\(.)")
_GAP: Final = late(r"[ \t]*([;,]?)[ \t]*")
_PREFIX: Final = late(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_BRACKETED: Final = late(r"\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\](?::([^:]*))?")
_PLAIN: Final = late(r"([^:]*)(?::([^:]*))?")
_PORT: Final = late(r"[1-9][0-9]{0,4}")


def parse_forwarded(values: Iterable[str]) -> list[dict[str, str]]:
    """Return the elements of all Forwarded fields, the nearest proxy's last.

    Each element has ``for``, ``by``, ``host`` and ``proto``, whichever were given, names in lower
    case and values unquoted.

    Raises:
        WireError: The syntax is broken, a name stands twice in one element, or it is too long.
    """
    text = _joined(values)
    elements: list[dict[str, str]] = [{}]
    position = _skip(text, 0)[0]
    while position < len(text):
        found = _PAIR.match(text, position)
        if found is None:
            raise WireError("The Forwarded field is malformed.")
        name = found[1].lower()
        if name in elements[-1]:
            raise WireError("The Forwarded field names a parameter twice in one element.")
        elements[-1][name] = found[2] or _ESCAPE.sub(r"\1", found[3] or "")
        position, separator = _skip(text, found.end())
        if separator == ",":
            elements.append({})
        elif not separator and position < len(text):
            raise WireError("The Forwarded field is malformed.")
    if not all(elements):
        raise WireError("The Forwarded field has an empty element.")
    return elements


def _skip(text: str, start: int) -> tuple[int, str]:
    found = _GAP.match(text, start)
    assert found is not None  # it matches nothing, too
    return found.end(), found[1]


def parse_x_forwarded(values: Iterable[str]) -> list[str]:
    """Return the entries of all fields of one name, the nearest proxy's last.

    Raises:
        WireError: An entry is empty, or it is too long.
    """
    entries = [entry.strip(" \t") for entry in _joined(values).split(",")]
    if not all(entries):
        raise WireError("An X-Forwarded field has an empty entry.")
    return entries


def _joined(values: Iterable[str]) -> str:
    # SPEC: RFC 9110 section 5.3: lines of one name are one list, in their order.
    text = ",".join(values)
    if len(text) > MAX_BYTES:
        raise WireError("A field of proxies is too long.")
    return text


def parse_node(text: str) -> tuple[Address | None, int]:
    """Return the address and the port, 0 when none is given, of a hop: ``[2001:db8::1]:4711``.

    The address is ``None`` for one that is hidden: ``unknown`` or ``_secret``.

    Raises:
        WireError: It is none of these.
    """
    host, port = _split_port(text)
    if host == "unknown" or (host.startswith("_") and len(host) > 1):
        return None, port
    try:
        address = ip_address(host)
    except ValueError:
        raise WireError("A proxy tells an address that is none.") from None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped, port
    return address, port


def _split_port(text: str) -> tuple[str, int]:
    found = _BRACKETED.fullmatch(text) or _PLAIN.fullmatch(text)
    if found is None:
        return text, 0  # a bare IPv6 address has no port
    host, port = found.groups()
    return host, 0 if port is None else parse_port(port)


def parse_port(text: str) -> int:
    """Return a port, 1 to 65535.

    Raises:
        WireError: It is none.
    """
    if _PORT.fullmatch(text) is None or int(text) > 65535:
        raise WireError("A proxy tells a port that is none.")
    return int(text)


def parse_scheme(text: str) -> str:
    """Return ``http`` or ``https``.

    Raises:
        WireError: It is neither.
    """
    scheme = text.lower()
    if scheme not in {"http", "https"}:
        raise WireError("A proxy tells a scheme that is neither http nor https.")
    return scheme


def parse_prefix(text: str) -> str:
    """Return the path below which a proxy serves the application, decoded, without a last slash.

    Raises:
        WireError: It is no path. SAFETY: ``//evil.example`` would lead links elsewhere, and so
            would dots, whether they are encoded or not.
    """
    prefix = text.removesuffix("/")
    if _PREFIX.fullmatch(prefix) is None:
        raise WireError("A proxy tells a prefix that is no path.")
    try:
        path = unquote_to_bytes(prefix).decode()
    except UnicodeDecodeError:
        raise WireError("A proxy tells a prefix that is not UTF-8.") from None
    if not path.isprintable() or {".", ".."} & set(path.split("/")) or "//" in path or "\\" in path:
        raise WireError("A proxy tells a prefix that is no path.")
    return path


def from_the_right(entries: Sequence[str], count: int) -> str | None:
    """Return what the outermost of *count* trusted proxies has added; ``None`` if they are fewer.

    SAFETY: what stands further to the left is the client's own invention.
    """
    return entries[-count] if 0 < count <= len(entries) else None
