"""Floor 1: Authorization and WWW-Authenticate (RFC 9110 section 11, RFC 7617, RFC 6750, RFC 7616).

A field is a scheme followed by one token or by parameters; Basic hides a user name and a password
in its token. A malformed field of a client is no credentials, never an error.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Self

from erlen.wire.params import parse_dict_header, quote_header_value
from erlen.wire.patterns import late

_BLANKS: Final = " \t"
_TOKEN: Final = late(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: Wider than token68 of RFC 9110 section 11.2, since API keys with ":" are in use, yet one word.
_WORD: Final = late(r"(?!=)[!#-+\--~]+")
_VISIBLE: Final = late(r"[\t -~\x80-\xff]*")
_CONTROL: Final = late(r"[\x00-\x1f\x7f]")
#: SPEC: RFC 7616 section 3.3: these are written without quotes, all others with them.
_BARE_IN_DIGEST: Final = frozenset({"algorithm", "charset", "stale", "userhash"})

#: Registered spellings that str.title() would miss.
_SCHEMES: Final = {"dpop": "DPoP", "hoba": "HOBA", "gnap": "GNAP", "privatetoken": "PrivateToken"}


class Authorization:  # noqa: PLW1641  # mutable, hence without a hash
    """Credentials of a client.

    Attributes:
        type: The scheme in lower case: ``"basic"``, ``"bearer"``, ``"digest"`` …
        parameters: Parameters by name; for Basic ``username`` and ``password``; else empty.
        token: The one token of other schemes, or ``None``.

    Parameters are also read by ``auth["realm"]`` and ``auth.get("realm")``.
    """

    __slots__ = ("parameters", "token", "type")

    def __init__(
        self,
        auth_type: str,
        data: Mapping[str, str | None] | None = None,
        token: str | None = None,
    ) -> None:
        self.type = auth_type.lower()
        self.parameters: dict[str, str | None] = dict(data or {})
        self.token = token

    @property
    def username(self) -> str | None:
        """The user name of Basic or Digest."""
        return self.parameters.get("username")

    @property
    def password(self) -> str | None:
        """The password of Basic."""
        return self.parameters.get("password")

    @classmethod
    def from_header(cls, value: str | None) -> Self | None:
        """Return the credentials of a field value, or ``None`` when it is absent or malformed."""
        scheme, rest = _split(value)
        if not rest:
            return None
        if scheme == "basic":
            data, token = _parse_basic(rest), None
        else:
            data, token = _parse_rest(rest)
        return None if data is None and token is None else cls(scheme, data, token)

    def to_header(self) -> str:
        """Return the field value.

        Raises:
            ValueError: The scheme, token, user name or a parameter cannot be written.
        """
        if self.type == "basic":
            return f"Basic {_dump_basic(self.username or '', self.password or '')}"
        return _dump(self.type, self.parameters, self.token)

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a parameter."""
        return self.parameters.get(name, default)

    def __getitem__(self, name: str) -> str | None:
        return self.parameters.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self.parameters

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Authorization):
            return NotImplemented
        return (self.type, self.token, self.parameters) == (
            other.type,
            other.token,
            other.parameters,
        )

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        # SAFETY: representations end in logs, so they show no secret.
        return f"<Authorization {self.type}>"


class WWWAuthenticate:  # noqa: PLW1641  # mutable, hence without a hash
    """A challenge to a client; changes are told to *on_update*.

    Parameters are read and written by item: ``challenge["realm"] = "shop"``; ``None`` removes one.

    Args:
        auth_type: The scheme, in any case.
        values: Parameters by name, in the order in which they are written.
        token: A token instead of parameters, as of Negotiate.
        on_update: Called with this object after every change.
    """

    __slots__ = ("_parameters", "_token", "_type", "on_update")

    def __init__(
        self,
        auth_type: str,
        values: Mapping[str, str | None] | None = None,
        token: str | None = None,
        on_update: "Callable[[WWWAuthenticate], None] | None" = None,
    ) -> None:
        self._type = auth_type.lower()
        self._parameters = _present(values or {})
        self._token = token
        self.on_update = on_update

    @property
    def type(self) -> str:
        """The scheme in lower case."""
        return self._type

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters by name, as a view that cannot be changed."""
        return MappingProxyType(self._parameters)

    @property
    def token(self) -> str | None:
        """The token, or ``None``."""
        return self._token

    @property
    def realm(self) -> str | None:
        """What the credentials are for, in words for people."""
        return self["realm"]

    @realm.setter
    def realm(self, value: str | None) -> None:
        self["realm"] = value

    @classmethod
    def from_header(cls, value: str | None) -> Self | None:
        """Return the challenge of a field value, or ``None`` when it is absent or malformed."""
        scheme, rest = _split(value)
        if not scheme:
            return None
        data, token = _parse_rest(rest)
        return None if rest and data is None and token is None else cls(scheme, data, token)

    def to_header(self) -> str:
        """Return the field value.

        Raises:
            ValueError: The scheme, the token or a parameter cannot be written.
        """
        return _dump(self._type, self._parameters, self._token)

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a parameter."""
        return self._parameters.get(name, default)

    def _changed(self) -> None:
        if self.on_update is not None:
            self.on_update(self)

    def __getitem__(self, name: str) -> str | None:
        return self._parameters.get(name)

    def __setitem__(self, name: str, value: str | None) -> None:
        if value is None:
            self._parameters.pop(name, None)
        else:
            self._parameters[name] = value
        self._changed()

    def __delitem__(self, name: str) -> None:
        self[name] = None

    def __contains__(self, name: str) -> bool:
        return name in self._parameters

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WWWAuthenticate):
            return NotImplemented
        return (self._type, self._token, self._parameters) == (
            other._type,
            other._token,
            other._parameters,
        )

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<WWWAuthenticate {self._type}>"


def _present(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _split(value: str | None) -> tuple[str, str]:
    """Return the scheme in lower case and what follows; two empty strings when malformed."""
    scheme, _, rest = (value or "").strip(_BLANKS).partition(" ")
    if _TOKEN.fullmatch(scheme) is None:
        return "", ""
    return scheme.lower(), rest.strip(_BLANKS)


def _parse_rest(rest: str) -> tuple[dict[str, str | None] | None, str | None]:
    """Return parameters or a token; neither when *rest* is malformed."""
    # SPEC: RFC 9110 section 11.2: "=" stands only at the end of a token, as padding.
    if "=" not in rest.rstrip("="):
        return (None, rest) if _WORD.fullmatch(rest) else (None, None)
    data: dict[str, str | None] = {
        name.lower(): value
        for name, value in parse_dict_header(rest).items()
        if value is not None and _TOKEN.fullmatch(name)
    }
    return (data or None), None


def _parse_basic(token: str) -> dict[str, str | None] | None:
    try:
        text = a2b_base64(token, strict_mode=True).decode()
    except ValueError:
        return None
    username, colon, password = text.partition(":")
    # SPEC: RFC 7617 section 2: neither part may contain control characters.
    if not colon or _CONTROL.search(text):
        return None
    return {"username": username, "password": password}


def _dump_basic(username: str, password: str) -> str:
    if ":" in username or _CONTROL.search(username + password):
        raise ValueError(
            f"The user name {username!r} holds ':', or it or its password control characters. "
            "Basic authentication cannot carry these; use another scheme."
        )
    return b2a_base64(f"{username}:{password}".encode(), newline=False).decode("ascii")


def _dump(scheme: str, parameters: Mapping[str, str | None], token: str | None) -> str:
    name = _SCHEMES.get(scheme, scheme.title())
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(f"{scheme!r} is not an authentication scheme. Use a token like 'basic'.")
    if token is not None:
        if _WORD.fullmatch(token) is None:
            raise ValueError(
                f"The token of {name} is not one word of visible ASCII. Encode it with base64."
            )
        return f"{name} {token}"
    members = [
        _dump_parameter(key, value, allow_token=scheme == "digest" and key in _BARE_IN_DIGEST)
        for key, value in parameters.items()
        if value is not None
    ]
    return f"{name} {', '.join(members)}".rstrip()


def _dump_parameter(name: str, value: str, *, allow_token: bool) -> str:
    if _TOKEN.fullmatch(name) is None or _VISIBLE.fullmatch(value) is None:
        raise ValueError(
            f"The parameter {name!r} with the value {value!r} cannot stand in a header. "
            "Use a token as name and latin-1 text without control characters as value."
        )
    return f"{name}={quote_header_value(value, allow_token)}"
