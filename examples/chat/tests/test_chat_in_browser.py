"""Chat as several people see it, each in a browser of their own."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

Visit = Callable[[str], Page]


@pytest.fixture
def enter(visit: Visit) -> Callable[[str, str], Page]:
    """Bring a new person with a nick into a room, which is opened when it does not exist."""

    def enter(room: str, nick: str) -> Page:
        page = visit("/")
        page.request.post("/rooms", data={"name": room})
        page.goto(f"/rooms/{room}")
        join(page, nick)
        expect(page.get_by_role("status")).to_have_text("Connected")
        return page

    return enter


def join(page: Page, nick: str) -> None:
    page.get_by_label("Your nick").fill(nick)
    page.get_by_role("button", name="Join").click()


def say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()


def test_message_appears_in_its_room_and_in_no_other(enter: Callable[[str, str], Page]) -> None:
    ada, bob, eve = enter("tea", "ada"), enter("tea", "bob"), enter("coffee", "eve")
    say(ada, "Is the water hot?")
    for page in (ada, bob):
        expect(page.get_by_role("log")).to_contain_text("Is the water hot?")
    say(eve, "A cup, please.")
    expect(eve.get_by_role("log")).to_contain_text("A cup, please.")
    expect(eve.get_by_role("log")).not_to_contain_text("water")


def test_leaving_updates_the_members(enter: Callable[[str, str], Page]) -> None:
    ada, bob = enter("hall", "ada"), enter("hall", "bob")
    members = ada.get_by_label("Members").get_by_role("listitem")
    expect(members).to_have_text(["ada", "bob"])
    bob.get_by_role("link", name="All rooms").click()
    expect(members).to_have_text(["ada"])
    expect(ada.get_by_role("log")).to_contain_text("bob left.")
    bob.reload()
    expect(bob.get_by_role("link", name="hall")).to_contain_text("1 here")


def test_newcomer_sees_what_was_said(enter: Callable[[str, str], Page]) -> None:
    ada = enter("attic", "ada")
    say(ada, "First!")
    expect(ada.get_by_role("log")).to_contain_text("First!")
    ada.close()
    expect(enter("attic", "bob").get_by_role("log")).to_contain_text("First!")


def test_markup_is_shown_as_text(enter: Callable[[str, str], Page]) -> None:
    ada, bob = enter("lab", "<i>ada</i>"), enter("lab", "bob")
    say(ada, "<img src=x onerror=alert(1)><script>alert(2)</script>")
    for page in (ada, bob):
        log = page.get_by_role("log")
        expect(log).to_contain_text("<img src=x onerror=alert(1)><script>alert(2)</script>")
        expect(log.locator("img, script, i")).to_have_count(0)
    bob.reload()
    expect(bob.get_by_role("log")).to_contain_text("<i>ada</i>")


def test_nick_that_is_taken_is_asked_for_again(
    enter: Callable[[str, str], Page], visit: Visit
) -> None:
    enter("porch", "ada")
    page = visit("/rooms/porch")
    join(page, "ada")
    expect(page.get_by_role("alert").filter(has_text="This nick is taken.")).to_be_visible()
    join(page, "bob")
    expect(page.get_by_role("status")).to_have_text("Connected")


def test_page_connects_again_by_itself(enter: Callable[[str, str], Page]) -> None:
    ada, bob = enter("shed", "ada"), enter("shed", "bob")
    ada.evaluate("socket.close()")
    expect(bob.get_by_role("log")).to_contain_text("ada left.")
    expect(ada.get_by_role("status")).to_contain_text("Retrying")
    say(bob, "Come back!")
    expect(ada.get_by_role("status")).to_have_text("Connected")
    expect(ada.get_by_role("log")).to_contain_text("Come back!")


def test_burst_of_messages_drops_nobody(enter: Callable[[str, str], Page]) -> None:
    ada, bob = enter("yard", "ada"), enter("yard", "bob")
    ada.evaluate("for (let n = 0; n < 50; n++) socket.send(JSON.stringify({text: `No. ${n}.`}))")
    for page in (ada, bob):
        expect(page.get_by_role("log")).to_contain_text("No. 49.")
        expect(page.get_by_role("status")).to_have_text("Connected")


def test_new_room_is_opened_from_the_list(visit: Visit) -> None:
    page = visit("/")
    page.get_by_label("Name of a new room").fill("cellar")
    page.get_by_role("button", name="Open room").click()
    expect(page.get_by_role("heading")).to_have_text("cellar")
    page.get_by_role("link", name="All rooms").click()
    page.get_by_label("Name of a new room").fill("cellar")
    page.get_by_role("button", name="Open room").click()
    expect(page.get_by_role("alert")).to_have_text("There is a room 'cellar' already.")
