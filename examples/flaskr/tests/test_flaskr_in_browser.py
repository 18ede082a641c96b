"""The blog as a person sees it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, expect

Visit = Callable[[str], Page]

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serve: Any) -> Iterator[str]:
    """Serve the example with an instance of its own; gives its address."""
    instance = tmp_path_factory.mktemp("instance")
    settings = {
        "FLASKR_DATABASE": str(instance / "flaskr.sqlite"),
        "FLASKR_IMAGE_FOLDER": str(instance / "images"),
        "FLASKR_SECRET_KEY": "a key that only this browser's server has",
    }
    options: dict[str, Any] = {"cwd": PROJECT, "env": os.environ | settings}
    init_db = [sys.executable, "-m", "erlen", "--app", "flaskr", "init-db"]
    subprocess.run(init_db, check=True, stdout=subprocess.DEVNULL, **options)
    with serve("flaskr", **options) as address:
        yield address


@pytest.fixture
def register(visit: Visit) -> Callable[[str], Page]:
    """Let a new person register."""

    def register(name: str) -> Page:
        page = visit("/auth/register")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(f"the password of {name}")
        page.get_by_role("button", name="Register").click()
        expect(page.get_by_role("status")).to_contain_text(f"Welcome, {name}.")
        return page

    return register


def write(page: Page, title: str, body: str, file: FilePayload | None = None) -> None:
    """Fill the form of a post and send it."""
    page.get_by_label("Title").fill(title)
    page.get_by_label("Text").fill(body)
    if file is not None:
        page.get_by_label(re.compile("File|Put another")).set_input_files(file)
        page.get_by_label("What it shows").fill(f"What {file['name']} shows")
    page.get_by_role("button", name=re.compile("Publish|Save")).click()


def test_note_is_published_and_changed(register: Callable[[str], Page]) -> None:
    page = register("ada")
    write(page, "Tides", "Four numbers\n\na day.")
    expect(page.get_by_role("heading", name="Tides")).to_be_visible()
    expect(page.get_by_role("paragraph").filter(has_text="a day.")).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Text")).to_have_value("Four numbers\n\na day.")
    write(page, "Dead tides", "No numbers at all.")
    expect(page.get_by_role("status")).to_have_text("Your changes are saved.")
    page.get_by_role("link", name="Marginalia").click()
    expect(page.get_by_role("link", name="Dead tides")).to_be_visible()


def test_image_is_shown(register: Callable[[str], Page], png: bytes) -> None:
    page = register("bruno")
    write(page, "Dot", "One.", {"name": "dot.png", "mimeType": "image/png", "buffer": png})
    image = page.get_by_role("img", name="What dot.png shows")
    expect(image).to_be_visible()
    expect(image).to_have_js_property("naturalWidth", 1)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Remove it").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Dot")).to_be_visible()
    expect(image).to_have_count(0)


def test_file_that_is_no_image_is_refused(register: Callable[[str], Page]) -> None:
    page = register("carol")
    file: FilePayload = {"name": "a.png", "mimeType": "image/png", "buffer": b"text"}
    write(page, "Loaf", "Flour.", file)
    expect(page.get_by_role("alert")).to_contain_text("The file is no image.")
    expect(page.get_by_label("Title")).to_have_value("Loaf")
    expect(page.get_by_label("Text")).to_have_value("Flour.")


def test_image_that_is_too_large_is_refused(register: Callable[[str], Page], png: bytes) -> None:
    page = register("dora")
    file: FilePayload = {
        "name": "a.png",
        "mimeType": "image/png",
        "buffer": png + bytes(5 * 1024 * 1024),
    }
    write(page, "Loaf", "Flour.", file)
    expect(page.get_by_text("may have 4.0 MiB together")).to_be_visible()


def test_login_leads_back(register: Callable[[str], Page]) -> None:
    page = register("eve")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    page.goto("/posts/new")
    expect(page.get_by_label("Name")).to_have_value("eve")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    page.get_by_label("Password").fill("the password of eve")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="A new note")).to_be_visible()


def test_note_is_deleted_by_its_author_only(register: Callable[[str], Page]) -> None:
    frank, grace = register("frank"), register("grace")
    write(frank, "Mistake", "All wrong.")
    expect(frank.get_by_role("heading", name="Mistake")).to_be_visible()
    grace.goto(frank.url)
    expect(grace.get_by_role("heading", name="Mistake")).to_be_visible()
    expect(grace.get_by_text("Delete")).to_have_count(0)
    frank.get_by_text("Delete", exact=True).click()
    frank.get_by_role("button", name="Delete for good").click()
    expect(frank.get_by_role("status")).to_have_text("“Mistake” is gone.")
    grace.reload()
    expect(grace.get_by_role("heading", name="Not Found")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/auth/register", "/posts/new", "/nowhere"])
def test_page_fits_a_phone(register: Callable[[str], Page], path: str) -> None:
    page = register(f"phone{len(path)}")
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize(("scheme", "ground"), [("light", 251), ("dark", 23)])
def test_page_obeys_the_colour_scheme(visit: Visit, scheme: Any, ground: int) -> None:
    page = visit("/")
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("body")).to_have_css("background-color", re.compile(rf"^rgb\({ground}, "))


def test_keyboard_comes_to_the_content_first(visit: Visit) -> None:
    page = visit("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
