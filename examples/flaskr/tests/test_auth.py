"""Accounts: registration, login, logout."""

import pytest

from erlen.testing.blocking import BlockingClient

FORM = {"name": "carol", "password": "long enough"}


@pytest.mark.parametrize("path", ["/auth/register", "/auth/login"])
def test_forms_are_shown(client: BlockingClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert 'type="password"' in page.text


def test_registration_logs_in(client: BlockingClient) -> None:
    response = client.post("/auth/register", data=FORM)
    assert (response.status_code, response.location) == (303, "/posts/new")
    page = client.get(response.location).text
    assert "Welcome, carol." in page
    assert "Log out" in page


@pytest.mark.parametrize(
    ("name", "password", "problem"),
    [
        ("", "long enough", "A name has 2 to 30"),
        ("c", "long enough", "A name has 2 to 30"),
        ("c" * 31, "long enough", "A name has 2 to 30"),
        ("<b>carol</b>", "long enough", "A name has 2 to 30"),
        ("carol", "short", "A password has 8"),
        ("ada", "long enough", "The name ada is taken."),
        ("ADA", "long enough", "The name ADA is taken."),
    ],
)
def test_registration_says_what_is_wrong(
    client: BlockingClient, name: str, password: str, problem: str
) -> None:
    response = client.post("/auth/register", data={"name": name, "password": password})
    assert response.status_code == 422
    assert problem in response.text
    assert "Log out" not in client.get("/").text


def test_form_without_its_fields_is_a_bad_request(client: BlockingClient) -> None:
    assert client.post("/auth/register", data={"name": "carol"}).status_code == 400
    assert client.post("/auth/login", data={}).status_code == 400


def test_what_was_typed_is_kept_but_not_the_password(client: BlockingClient) -> None:
    page = client.post("/auth/login", data={"name": "<ada>", "password": "secret"}).text
    assert 'value="&lt;ada&gt;"' in page
    assert "secret" not in page


def test_login_is_told_by_the_page(ada: BlockingClient) -> None:
    page = ada.get("/").text
    assert "Good to see you, ada." in page
    assert "Log out" in page
    assert "Good to see you" not in ada.get("/").text


def test_login_begins_a_new_session(client: BlockingClient) -> None:
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    client.post("/auth/login", data={"name": "Ada", "password": "correct horse"})
    with client.session_transaction() as session:
        assert session["author_id"] == 1
        assert "planted" not in session


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("ada", ""), ("nobody", "correct horse")]
)
def test_login_does_not_tell_name_from_password(
    client: BlockingClient, name: str, password: str
) -> None:
    response = client.post("/auth/login", data={"name": name, "password": password})
    assert response.status_code == 422
    assert "The name or the password is wrong." in response.text


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/posts/new", "/posts/new"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_login_leads_back_but_never_away(
    client: BlockingClient, wanted: str, location: str
) -> None:
    form = {"name": "ada", "password": "correct horse"}
    response = client.post("/auth/login", query_string={"next": wanted}, data=form)
    assert (response.status_code, response.location) == (303, location)


def test_logout_forgets_all_but_the_name(ada: BlockingClient) -> None:
    assert ada.post("/auth/logout").location == "/"
    page = ada.get("/auth/login").text
    assert "You are logged out." in page
    assert "Log out" not in page
    assert 'value="ada"' in page


def test_logout_is_no_link(ada: BlockingClient) -> None:
    assert ada.get("/auth/logout").status_code == 405
    assert "Log out" in ada.get("/").text


def test_session_of_an_author_who_is_gone_is_a_visitors(client: BlockingClient) -> None:
    with client.session_transaction() as session:
        session["author_id"] = 7
    assert "Log out" not in client.get("/").text
