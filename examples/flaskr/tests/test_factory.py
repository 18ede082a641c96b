"""How the application is made, and what it does around its views."""

import json
from pathlib import Path

import pytest
from flaskr import create_app

from erlen.sync import Erlen
from erlen.testing.blocking import BlockingClient


def test_settings_of_a_test_win() -> None:
    assert not create_app().testing
    assert create_app({"TESTING": True}).testing


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASKR_DATABASE", "elsewhere.sqlite")
    assert create_app().config["DATABASE"] == "elsewhere.sqlite"


def test_files_lie_in_the_instance_folder() -> None:
    app = create_app({})
    assert Path(app.config["DATABASE"]).parent == Path(app.instance_path)
    assert Path(app.config["IMAGE_FOLDER"]).parent == Path(app.instance_path)


def test_each_application_has_a_state_of_its_own(app: Erlen) -> None:
    assert create_app({}).config["DATABASE"] != app.config["DATABASE"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/posts/7", 404), ("PUT", "/posts/1", 405)],
)
def test_errors_have_the_page_of_the_site(
    client: BlockingClient, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert f">{status}<" in response.text
    assert "Marginalia" in response.text


def test_wrong_method_is_told_the_right_ones(client: BlockingClient) -> None:
    assert set(client.put("/").headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_no_page_may_run_a_script(client: BlockingClient) -> None:
    page = client.get("/")
    assert "script-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text


def test_form_on_another_site_is_refused(ada: BlockingClient) -> None:
    headers = {"sec-fetch-site": "cross-site"}
    assert ada.post("/posts/1/delete", headers=headers).status_code == 403
    assert ada.get("/posts/1").status_code == 200


def test_nothing_to_show_is_a_page_too(client: BlockingClient, ada: BlockingClient) -> None:
    ada.post("/posts/1/delete")
    assert "The page is blank" in client.get("/").text
    assert json.loads(client.get("/api/posts").text) == {"posts": [], "next": None}
