"""The pages of hello, as a person sees them."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

Visit = Callable[[str], Page]


def test_form_leads_to_a_greeting(visit: Visit) -> None:
    page = visit("/")
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("Language").select_option("fr")
    page.get_by_role("button", name="Greet").click()
    expect(page).to_have_title("Bonjour, Ada Lovelace!")
    expect(page.get_by_role("heading")).to_have_text("Bonjour, Ada Lovelace!")


def test_links_lead_to_other_languages_and_back(visit: Visit) -> None:
    page = visit("/hello/Ada")
    page.get_by_role("link", name="Hallo").click()
    expect(page.get_by_role("heading")).to_have_text("Hallo, Ada!")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("link", name="Back").click()
    expect(page).to_have_title("Hello, erlen")


def test_script_in_a_name_is_shown_as_text(visit: Visit) -> None:
    page = visit("/")
    page.get_by_label("Your name").fill("<script>document.title='owned'<" + "\\script>")
    page.get_by_role("button", name="Greet").click()
    expect(page.get_by_role("heading")).to_contain_text("Hello, <script>document")
    expect(page).to_have_title("Hello, <script>document.title='owned'<\\script>!")


def test_order_is_answered_with_its_number(visit: Visit) -> None:
    page = visit("/")
    page.get_by_label("Item").fill("two cups")
    page.get_by_role("button", name="Order").click()
    expect(page.locator("#ordered")).to_contain_text('201 {"item":"two cups","id":')


def test_echo_comes_back(visit: Visit) -> None:
    page = visit("/")
    page.get_by_label("Message").fill("Grüße, 世界")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#heard")).to_have_text("Grüße, 世界")
