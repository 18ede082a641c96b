"""Exceptions: EX-1 to EX-3, and the sentences of those that developers see."""

from typing import Any

import pytest
from markupsafe import Markup

from erlen import Response, abort
from erlen.exceptions import (
    BadRequestKeyError,
    BuildError,
    FrozenError,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    MissingExtraError,
    NotFound,
    RequestedRangeNotSatisfiable,
    RequestRedirect,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    WebSocketDisconnect,
    default_exceptions,
    leaves,
    reason_phrase,
)


@pytest.mark.parametrize("code", default_exceptions)
def test_ex3_abort_raises_the_exception_of_every_code(code: int) -> None:
    with pytest.raises(default_exceptions[code]) as caught:
        abort(code)
    assert caught.value.code == code
    assert caught.value.get_response().status_code == code


def test_ex1_arguments_of_abort_reach_the_exception() -> None:
    with pytest.raises(NotFound, match=r"404 Not Found: No tea\."):
        abort(404, "No tea.")
    with pytest.raises(MethodNotAllowed) as caught:
        abort(405, valid_methods=["POST", "GET"])
    assert caught.value.get_headers() == [("Allow", "GET, POST")]


def test_ex1_aborting_with_a_response_raises_it_unchanged() -> None:
    response = Response("tea")
    with pytest.raises(HTTPException) as caught:
        abort(response)
    assert caught.value.get_response() is response
    assert (caught.value.code, str(caught.value)) == (None, "Unknown Error")


def test_ex1_unknown_code_says_what_to_do() -> None:
    with pytest.raises(LookupError, match="No exception is known for status 600"):
        abort(600)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param("404", "'404' of type str", id="text"),
        pytest.param(NotFound, "NotFound'> of type type", id="class"),
        pytest.param(NotFound(), "<NotFound '404: Not Found'> of type NotFound", id="exception"),
        pytest.param(5.0, "5.0 of type float", id="float"),
        pytest.param(None, "None of type NoneType", id="none"),
    ],
)
def test_ex1_abort_takes_a_code_or_a_response_and_nothing_else(given: Any, said: str) -> None:
    with pytest.raises(TypeError, match="Give a status code or a response; an exception is raised"):
        abort(given)
    with pytest.raises(TypeError) as caught:
        abort(given)
    assert said in str(caught.value)


@pytest.mark.parametrize("code", [True, 0, 200, 999])
def test_ex1_code_without_an_exception_is_a_lookup_error(code: int) -> None:
    with pytest.raises(LookupError, match="No exception is known for status"):
        abort(code)


def test_bd8_text_of_a_missing_key_names_it_for_the_log() -> None:
    assert str(BadRequestKeyError("k")) == "400 Bad Request: KeyError: 'k'"
    assert BadRequestKeyError("k").args == ("k",)
    assert BadRequestKeyError().args == ()


def test_ex2_page_is_escaped_and_newlines_are_breaks() -> None:
    body = NotFound("<b>\nline").get_body()
    assert "<h1>Not Found</h1>\n<p>&lt;b&gt;<br>line</p>" in body
    assert "<p>" not in HTTPException().get_body()


def test_ex2_markup_in_a_description_is_kept() -> None:
    assert "<p><b>tea</b></p>" in NotFound(Markup("<b>tea</b>")).get_body()


def test_ex2_text_that_equals_markup_is_escaped_all_the_same() -> None:
    marked = type("Marked", (NotFound,), {"description": Markup("<b>tea</b>")})
    written = type("Written", (NotFound,), {"description": "<b>tea</b>"})
    for _ in range(2):
        assert "<p><b>tea</b></p>" in marked().get_body()
        assert "<p>&lt;b&gt;tea&lt;/b&gt;</p>" in written().get_body()


def test_ex2_page_follows_what_is_set_on_the_class() -> None:
    class Lost(NotFound):
        description = "Lost."

    assert "<p>Lost.</p>" in Lost().get_body()
    Lost.description, Lost.code = "Gone.", 410
    assert "<h1>Gone</h1>\n<p>Gone.</p>" in Lost().get_body()


class Translated:
    """A text in the language of whoever asks; as those of Babel it has no hash."""

    __hash__ = None  # type: ignore[assignment]  # that is meant

    def __init__(self) -> None:
        self.language = "Nothing"

    def __str__(self) -> str:
        return self.language


def test_a_name_may_be_another_text_each_time() -> None:
    spoken: Any = Translated()
    lost = type("Lost", (NotFound,), {"name": spoken})()
    assert "<h1>Nothing</h1>" in lost.get_body()
    spoken.language = "Nichts"
    assert "<h1>Nichts</h1>" in lost.get_body()


def test_ex2_repr_and_text_name_code_and_phrase() -> None:
    assert repr(NotFound()) == "<NotFound '404: Not Found'>"
    assert str(InternalServerError(original_exception=ValueError())).startswith("500 Internal")


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        pytest.param(Unauthorized(), [], id="401-without"),
        pytest.param(
            Unauthorized(www_authenticate="Basic"), [("WWW-Authenticate", "Basic")], id="401-one"
        ),
        pytest.param(
            Unauthorized(www_authenticate=["Basic", "Digest"]),
            [("WWW-Authenticate", "Basic"), ("WWW-Authenticate", "Digest")],
            id="401-two",
        ),
        pytest.param(MethodNotAllowed(), [], id="405-unknown"),
        pytest.param(RequestedRangeNotSatisfiable(), [], id="416-unknown"),
        pytest.param(
            RequestedRangeNotSatisfiable(7), [("Content-Range", "bytes */7")], id="416-length"
        ),
        pytest.param(TooManyRequests(), [], id="429-without"),
        pytest.param(TooManyRequests(retry_after=5), [("Retry-After", "5")], id="429-seconds"),
        pytest.param(ServiceUnavailable(retry_after=5), [("Retry-After", "5")], id="503-seconds"),
        pytest.param(RequestRedirect("/a?b"), [("Location", "/a?b")], id="308"),
    ],
)
def test_ex3_headers_of_an_exception(error: HTTPException, headers: list[tuple[str, str]]) -> None:
    assert error.get_headers() == headers
    assert set(headers) <= set(error.get_response().headers)


def test_redirect_page_escapes_its_link() -> None:
    assert '<a href="/a?b=1&amp;c=2">' in RequestRedirect("/a?b=1&c=2").get_body()


def test_bd8_missing_key_is_named_in_debug_mode_only() -> None:
    error = BadRequestKeyError("<key>")
    assert isinstance(error, KeyError)
    assert "key" not in error.get_body()
    error.show_exception = True
    assert "KeyError: &#39;&lt;key&gt;&#39;" in error.get_body()
    assert BadRequestKeyError().args == ()


def test_build_error_tells_endpoint_values_and_method() -> None:
    error = BuildError("shop", {"b": 1, "a": 2}, "POST", hint="Give 'c'.", suggested="shops")
    assert str(error) == (
        "Could not build url for endpoint 'shop' ('POST') with values ['a', 'b']. Give 'c'."
    )
    assert (error.suggested, str(BuildError("x", {}))) == (
        "shops",
        "Could not build url for endpoint 'x'.",
    )


@pytest.mark.parametrize("blueprint", [False, True])
def test_frozen_error_names_the_call(blueprint: bool) -> None:
    sentence = str(FrozenError("route", blueprint=blueprint))
    assert sentence.startswith("'route' was called after")
    assert ("blueprint was registered" in sentence) is blueprint


def test_missing_extra_says_what_to_install() -> None:
    with pytest.raises(ImportError, match=r"pip install 'erlen\[reload\]'"):
        raise MissingExtraError("Reloading", "reload")


def test_websocket_disconnect_says_code_and_reason() -> None:
    assert str(WebSocketDisconnect(1001, "bye")) == "The WebSocket is closed with code 1001 (bye)."
    assert WebSocketDisconnect().code == 1005


def test_phrases_are_the_same_on_every_interpreter() -> None:
    assert (reason_phrase(413), reason_phrase(799)) == ("Content Too Large", "Unknown")


def test_leaves_of_a_group_come_left_to_right() -> None:
    first, second, third = ValueError(1), KeyError(2), OSError(3)
    nested = ExceptionGroup("outer", [ExceptionGroup("inner", [first, second]), third])
    assert leaves(nested) == [first, second, third]
