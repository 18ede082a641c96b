"""Authorization and WWW-Authenticate, read from clients and written by applications."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Authorization as WerkzeugAuthorization

from erlen.wire.credentials import Authorization, WWWAuthenticate

PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]))


def basic(octets: bytes) -> str:
    return f"Basic {b64encode(octets).decode()}"


def test_rq6_basic_has_a_user_name_and_a_password() -> None:
    found = Authorization.from_header(basic("jörg:a:b".encode()))
    assert found
    assert (found.type, found.username, found.password, found.token) == (
        "basic",
        "jörg",
        "a:b",
        None,
    )
    assert (found["username"], found.get("password"), "realm" in found) == ("jörg", "a:b", False)


def test_rq6_bearer_has_a_token() -> None:
    found = Authorization.from_header(" BEARER  abc.d-e_f~+/== ")
    assert found
    assert (found.type, found.token, found.parameters, found.username) == (
        "bearer",
        "abc.d-e_f~+/==",
        {},
        None,
    )


def test_rq6_digest_has_parameters() -> None:
    found = Authorization.from_header('Digest username="a", realm="x, y", nc=00000001, QOP=auth')
    assert found
    assert found.parameters == {"username": "a", "realm": "x, y", "nc": "00000001", "qop": "auth"}
    assert (found.username, found.password, found["none"], found.get("none", "d")) == (
        "a",
        None,
        None,
        "d",
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Bearer",
        "Basic ÿ",
        "Basic !!!!",
        "Basic YQ",
        "Basic YTpi==YTpi",
        basic(b"nocolon"),
        basic(b"\xff:\xff"),
        basic(b"a\x00:b"),
        basic(b"a:b\r\n"),
        "Bearer a b",
        'Bearer a"b',
        "Bearer é",
        "Digest =",
        "Digest é=1",
        "Dig(est a=1",
        "=",
        "a=1",
    ],
    ids=ascii,
)
def test_rq6_malformed_credentials_are_none(value: str | None) -> None:
    assert Authorization.from_header(value) is None


@given(st.text())
def test_reading_never_raises(value: str) -> None:
    for scheme in ("", "Basic ", "Digest ", "Bearer "):
        Authorization.from_header(scheme + value)
        WWWAuthenticate.from_header(scheme + value)


@given(st.binary())
def test_basic_never_raises_on_any_octets(octets: bytes) -> None:
    Authorization.from_header(basic(octets))


@given(PRINTABLE.filter(lambda name: ":" not in name), PRINTABLE)
def test_basic_round_trips_and_is_written_as_werkzeug_does(username: str, password: str) -> None:
    # Differences when reading: Werkzeug takes a user name without a colon, and control characters.
    data: dict[str, str | None] = {"username": username, "password": password}
    written = Authorization("Basic", data).to_header()
    assert written == WerkzeugAuthorization("basic", data).to_header()
    assert Authorization.from_header(written) == Authorization("basic", data)


@pytest.mark.parametrize(("username", "password"), [("a:b", ""), ("a\n", ""), ("", "\x00")])
def test_basic_cannot_carry_everything(username: str, password: str) -> None:
    with pytest.raises(ValueError, match=r"\. Basic authentication cannot carry these"):
        Authorization("basic", {"username": username, "password": password}).to_header()


@pytest.mark.parametrize(
    ("authorization", "header"),
    [
        (Authorization("basic"), "Basic Og=="),
        (Authorization("bearer", token="a.b"), "Bearer a.b"),
        (Authorization("dpop", token="a"), "DPoP a"),
        (
            Authorization("digest", {"username": "a", "algorithm": "MD5", "x": None}),
            'Digest username="a", algorithm=MD5',
        ),
    ],
)
def test_credentials_are_written(authorization: Authorization, header: str) -> None:
    assert str(authorization) == header


def test_representations_show_no_secret() -> None:
    assert repr(Authorization("bearer", token="secret")) == "<Authorization bearer>"
    assert repr(WWWAuthenticate("negotiate", token="secret")) == "<WWWAuthenticate negotiate>"


def test_credentials_are_compared_by_value() -> None:
    assert Authorization("bearer", token="a") == Authorization("Bearer", token="a")
    assert Authorization("bearer", token="a") != Authorization("bearer", token="b")
    assert Authorization("bearer", token="a") != "Bearer a"
    assert WWWAuthenticate("basic", {"realm": "a"}) == WWWAuthenticate("Basic", {"realm": "a"})
    assert WWWAuthenticate("basic") != "Basic"


@pytest.mark.parametrize(
    ("challenge", "header"),
    [
        (WWWAuthenticate("basic", {"realm": 'a "b" \\'}), r'Basic realm="a \"b\" \\"'),
        (
            WWWAuthenticate("basic", {"realm": "a", "charset": "UTF-8"}),
            'Basic realm="a", charset="UTF-8"',
        ),
        (
            WWWAuthenticate("bearer", {"error": "invalid_token", "x": None}),
            'Bearer error="invalid_token"',
        ),
        (
            WWWAuthenticate(
                "digest", {"realm": "a", "qop": "auth", "algorithm": "SHA-256", "stale": "true"}
            ),
            'Digest realm="a", qop="auth", algorithm=SHA-256, stale=true',
        ),
        (WWWAuthenticate("negotiate"), "Negotiate"),
        (WWWAuthenticate("negotiate", token="abc="), "Negotiate abc="),
    ],
)
def test_ds7_challenges_are_written_and_read_back(challenge: WWWAuthenticate, header: str) -> None:
    assert challenge.to_header() == str(challenge) == header
    assert WWWAuthenticate.from_header(header) == challenge


@pytest.mark.parametrize("value", [None, "", "=", "Basic é", 'Basic realm="a'])
def test_malformed_challenges_are_none(value: str | None) -> None:
    assert WWWAuthenticate.from_header(value) is None


def test_ds6_changes_of_a_challenge_are_told() -> None:
    told: list[str] = []
    challenge = WWWAuthenticate("basic", on_update=lambda changed: told.append(str(changed)))
    challenge.realm = "a"
    challenge["charset"] = "UTF-8"
    del challenge["charset"]
    challenge.realm = None
    assert told == [
        'Basic realm="a"',
        'Basic realm="a", charset="UTF-8"',
        'Basic realm="a"',
        "Basic",
    ]


def test_challenge_parameters_are_read_by_item() -> None:
    challenge = WWWAuthenticate("basic", {"realm": "a"})
    assert (challenge.type, challenge.token, challenge.realm) == ("basic", None, "a")
    assert (challenge["realm"], challenge.get("x", "y"), "realm" in challenge) == ("a", "y", True)
    assert dict(challenge.parameters) == {"realm": "a"}
    challenge["realm"] = "b"
    assert challenge.realm == "b"


@pytest.mark.parametrize(
    "challenge",
    [
        WWWAuthenticate("a b"),
        WWWAuthenticate(""),
        WWWAuthenticate("bearer", token="a b"),
        WWWAuthenticate("bearer", token="a\r\nb"),
        WWWAuthenticate("basic", {"realm": "a\r\nb"}),
        WWWAuthenticate("basic", {"realm": "€"}),
        WWWAuthenticate("basic", {"a b": "c"}),
    ],
    ids=lambda challenge: ascii(challenge.parameters),
)
def test_a_challenge_that_no_header_can_carry_is_a_value_error(challenge: WWWAuthenticate) -> None:
    with pytest.raises(ValueError, match=r"\. (Use a token|Encode it)"):
        challenge.to_header()
