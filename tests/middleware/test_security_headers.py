"""Fields that tell browsers what a page may do."""

import re

import pytest

from erlen import Erlen, render_template_string
from erlen.exceptions import OutsideContextError
from erlen.middleware import SecurityHeaders, csp_nonce
from tests.middleware.exchanges import exchange, passes_lifespan

PAGE = [(b"content-type", b"text/html; charset=utf-8")]
JSON = [(b"content-type", b"application/json")]
OF_PAGES = ["referrer-policy", "x-frame-options", "cross-origin-opener-policy"]


async def test_d19_a_page_has_them_all() -> None:
    answer = await exchange(SecurityHeaders, response=PAGE)
    assert [answer.field(name) for name in ["x-content-type-options", *OF_PAGES]] == [
        "nosniff", "same-origin", "DENY", "same-origin",
    ]  # fmt: skip


async def test_d19_data_is_only_not_to_be_sniffed() -> None:
    answer = await exchange(SecurityHeaders, response=JSON)
    assert answer.field("x-content-type-options") == "nosniff"
    assert [answer.field(name) for name in OF_PAGES] == [None] * 3


async def test_what_the_application_has_set_stays() -> None:
    answer = await exchange(SecurityHeaders, response=[*PAGE, (b"x-frame-options", b"SAMEORIGIN")])
    assert answer.field("x-frame-options") == "SAMEORIGIN"


async def test_fields_can_be_changed_added_and_left_out() -> None:
    headers = {"X-Frame-Options": None, "Referrer-Policy": "no-referrer", "X-Own": "1"}
    answer = await exchange(SecurityHeaders, response=PAGE, headers=headers)
    assert answer.field("x-frame-options") is None
    assert (answer.field("referrer-policy"), answer.field("x-own")) == ("no-referrer", "1")


@pytest.mark.parametrize(("scheme", "sent"), [("https", "max-age=60"), ("http", None)])
async def test_d19_hsts_is_sent_over_tls_when_it_is_asked_for(scheme: str, sent: str) -> None:
    answer = await exchange(SecurityHeaders, scope={"scheme": scheme}, hsts=60)
    assert answer.field("strict-transport-security") == sent


async def test_hsts_may_cover_subdomains() -> None:
    answer = await exchange(
        SecurityHeaders, scope={"scheme": "https"}, hsts=60, hsts_subdomains=True
    )
    assert answer.field("strict-transport-security") == "max-age=60; includeSubDomains"


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        SecurityHeaders(None, hsts=-1)  # type: ignore[arg-type]  # never called


async def test_a_policy_is_sent_with_pages() -> None:
    policy = {"default-src": "'self'", "upgrade-insecure-requests": ""}
    answer = await exchange(SecurityHeaders, response=PAGE, csp=policy)
    assert (
        answer.field("content-security-policy") == "default-src 'self'; upgrade-insecure-requests"
    )


async def test_a_policy_can_be_tried_out() -> None:
    answer = await exchange(
        SecurityHeaders, response=PAGE, csp={"default-src": "'none'"}, csp_report_only=True
    )
    assert answer.field("content-security-policy") is None
    assert answer.field("content-security-policy-report-only") == "default-src 'none'"


async def test_a_template_has_the_nonce_of_its_response() -> None:
    app = Erlen("pages")
    app.config["TESTING"] = True
    app.add_middleware(SecurityHeaders, csp={"script-src": "'self' 'nonce'"})
    app.add_template_global(csp_nonce)

    @app.get("/")
    async def index() -> str:
        return await render_template_string('<script nonce="{{ csp_nonce() }}"></script>')

    async with app.test_client() as client:
        first, second = await client.get("/"), await client.get("/")
    nonce = re.search(r"'nonce-([\w-]+)'", first.headers["content-security-policy"])
    assert nonce
    assert first.text == f'<script nonce="{nonce[1]}"></script>'
    assert first.text != second.text


async def test_without_the_middleware_there_is_no_nonce() -> None:
    app = Erlen("pages")
    async with app.test_request_context("/"):
        with pytest.raises(OutsideContextError, match="Add the middleware"):
            csp_nonce()
    async with app.app_context():
        with pytest.raises(OutsideContextError, match="Add the middleware"):
            csp_nonce()


async def test_other_scopes_pass() -> None:
    assert await passes_lifespan(SecurityHeaders)
