"""Folders of an application and a blueprint: BP-10, BP-13, SF-6, B-220, B-224."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from erlen import Blueprint, Erlen
from erlen.exceptions import SetupError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of code with one of static files."""
    for name in ("static", "assets"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
    return tmp_path


@pytest.fixture(params=["app", "blueprint"])
def make(request: pytest.FixtureRequest, root: Path) -> Any:
    """Return what makes an application, or a blueprint, with a static folder."""

    def make(folder: str | None, **options: Any) -> Erlen | Blueprint:
        if request.param == "app":
            return Erlen("shop", static_folder=folder, root_path=str(root), **options)
        return Blueprint("bp", "shop", static_folder=folder, root_path=str(root), **options)

    return make


def test_a_folder_is_absolute_and_names_its_path(make: Any, root: Path) -> None:
    owner = make("assets")
    assert (owner.static_folder, owner.static_url_path) == (str(root / "assets"), "/assets")
    assert owner.has_static_folder


def test_a_given_path_wins_and_loses_its_last_slash(make: Any) -> None:
    assert make("assets", static_url_path="/files/").static_url_path == "/files"
    assert make("assets", static_url_path="").static_url_path == ""


def test_no_folder_is_no_path(make: Any) -> None:
    owner = make(None)
    assert (owner.has_static_folder, owner.static_folder, owner.static_url_path) == (
        False, None, None,
    )  # fmt: skip


@pytest.mark.parametrize("folder", ["missing", "static/a.txt"])
def test_b220_what_is_no_folder_is_refused_at_registration(make: Any, folder: str) -> None:
    with pytest.raises(SetupError, match=r"is no folder. Create it first"):
        make(folder)


@pytest.mark.parametrize("folder", ["..", ".", "/", "static/.."])
def test_b224_a_folder_that_holds_the_code_is_refused(make: Any, folder: str) -> None:
    with pytest.raises(SetupError, match="the source could be read by anyone"):
        make(folder)


def test_b220_the_folder_of_every_application_need_not_exist(tmp_path: Path) -> None:
    app = Erlen("shop", root_path=str(tmp_path))
    assert [rule.rule for rule in app.url_map.iter_rules("static")] == ["/static/<path:filename>"]


def test_hosts_without_a_static_host_have_no_static_files(root: Path) -> None:
    app = Erlen("shop", root_path=str(root), host_matching=True)
    assert not list(app.url_map.iter_rules())


async def test_bp10_files_of_application_and_blueprint_are_served(root: Path) -> None:
    app = Erlen("shop", root_path=str(root))
    bp = Blueprint("bp", "shop", static_folder="assets", url_prefix="/p", root_path=str(root))
    app.register_blueprint(bp)
    client = app.test_client()
    assert (await client.get("/static/a.txt")).text == "static"
    assert (await client.get("/p/assets/a.txt")).text == "assets"
    with app.test_request_context():
        assert app.url_for("bp.static", filename="a.txt") == "/p/assets/a.txt"


@pytest.mark.parametrize("lifetime", [60, 60.0, timedelta(minutes=1)])
def test_sf6_the_configured_age_is_seconds(lifetime: Any) -> None:
    app = Erlen("shop")
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = lifetime
    with app.app_context():
        assert app.get_send_file_max_age("a.txt") == 60


async def test_sf6_the_age_may_be_decided_by_the_name(root: Path) -> None:
    class Shop(Erlen):
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            return 5 if filename and filename.endswith(".txt") else None

    response = await Shop("shop", root_path=str(root)).test_client().get("/static/a.txt")
    assert response.headers["cache-control"] == "public, max-age=5"


def test_bp13_a_blueprint_opens_its_resources(make: Any) -> None:
    with make(None).open_resource("static/a.txt", "r") as file:
        assert file.read() == "static"
