"""The same requests to Werkzeug's map; every difference is listed with its reason."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug import exceptions as theirs
from werkzeug import routing as werkzeug

from erlen.exceptions import BuildError, HTTPException, RequestRedirect
from erlen.routing.map import Map
from erlen.routing.rule import Rule

Options = dict[str, Any]
RULES: list[tuple[str, Options]] = [
    ("/", {}),
    ("/about", {}),
    ("/tree/", {}),
    ("/loose", {"strict_slashes": False}),
    ("/loose/tree/", {"strict_slashes": False}),
    ("/users/<name>", {}),
    ("/users/<int:id>", {}),
    ("/users/<name>/posts/<int:id>", {}),
    ("/users/me/posts/new", {}),
    ("/files/<path:p>", {}),
    ("/files/<path:p>/edit", {}),
    ("/archive/<int:year>/", {}),
    ("/archive/<int:year>/<any(spring, autumn):term>", {}),
    ("/ratio/<float:r>", {}),
    ("/tag/<a>-<int:b>", {}),
    ("/tag/v<a>", {}),
    ("/fixed/<int(fixed_digits=4):n>", {}),
    ("/short/<string(maxlength=2):s>", {}),
    ("/post", {"methods": ["POST"]}),
    ("/pages/", {"endpoint": "pages", "defaults": {"page": 1}}),
    ("/pages/<int:page>", {"endpoint": "pages"}),
    ("/ws", {"websocket": True}),
]


def options(text: str, given_options: Options) -> Options:
    return {"endpoint": text, "methods": ["GET"], **given_options}


OURS = Map([Rule(text, **options(text, extra)) for text, extra in RULES])
THEIRS = werkzeug.Map([werkzeug.Rule(text, **options(text, extra)) for text, extra in RULES])


def our_answer(path: str, method: str) -> tuple[Any, ...]:
    try:
        rule, arguments = OURS.match(path, method)
    except RequestRedirect as error:
        return 308, error.new_url
    except HTTPException as error:
        return (error.code,)
    return rule.endpoint, arguments


def their_answer(path: str, method: str) -> tuple[Any, ...]:
    try:
        endpoint, arguments = THEIRS.bind("h").match(path, method)
    except werkzeug.RequestRedirect as error:
        return 308, error.new_url.removeprefix("http://h")
    except theirs.HTTPException as error:
        return (error.code,)
    return endpoint, dict(arguments)


WORDS = [
    "", "about", "tree", "loose", "users", "me", "posts", "new", "files", "edit", "archive", "2024",
    "spring", "ratio", "1.5", "tag", "v1", "x-1", "fixed", "0007", "short", "ab", "abc", "post",
    "pages", "1", "2", "ü", "a b",
]  # fmt: skip
REQUEST_PATHS = st.lists(st.sampled_from(WORDS), max_size=6).map(
    lambda words: "/" + "/".join(words)
)


def is_explained(path: str, method: str, ours: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    """Whether a difference is one of those on purpose."""
    if path.startswith("//"):
        # They drop leading slashes silently; here they are merged by a redirect like the others.
        bare = "/" + path.lstrip("/")
        answer = our_answer(bare, method)
        return (
            ours[0] in {308, 405} or answer == others or is_explained(bare, method, answer, others)
        )
    if (ours, others) == ((404,), (405,)):
        # They count the methods of a rule before its converter refuses the value.
        return our_answer(path, "GET") == (404,)
    if others[0] == 308:
        # They redirect to merged slashes, and only from there to another path or a 404.
        return our_answer(others[1], method) == ours
    # They forget a method that does not fit a path which only lacks its slash.
    return ours[0] == 405 and others == (404,)


@settings(max_examples=1500, deadline=None)
@given(REQUEST_PATHS, st.sampled_from(["GET", "HEAD", "POST"]))
def test_the_same_answers_as_werkzeug(path: str, method: str) -> None:
    ours, others = our_answer(path, method), their_answer(path, method)
    assert ours == others or is_explained(path, method, ours, others), (ours, others)


@pytest.mark.parametrize(
    ("path", "method", "ours", "others"),
    [
        pytest.param("//tree/", "GET", (308, "/tree/"), ("/tree/", {}), id="leading-slashes-merge"),
        pytest.param("/tree", "POST", (405,), (404,), id="MT-9-method-of-a-near-miss"),
        pytest.param("/users/٣", "GET", ("/users/<name>", {"name": "٣"}),
                     ("/users/<int:id>", {"id": 3}), id="CV-4-ascii-digits"),
        pytest.param("/users/" + "9" * 20, "GET", ("/users/<name>", {"name": "9" * 20}),
                     ("/users/<int:id>", {"id": int("9" * 20)}), id="B-018-at-most-19-digits"),
        pytest.param("/fixed/1", "POST", (404,), (405,), id="CV-5-refused-values-have-no-methods"),
        pytest.param("/fixed//1", "GET", (404,), (308, "/fixed/1"),
                     id="CV-5-no-redirect-to-a-refused-value"),
        pytest.param("/pages//1", "GET", (308, "/pages/"), (308, "/pages/1"),
                     id="MT-13-one-redirect-for-two"),
        pytest.param("/ws", "POST", (400,), (405,), id="MT-12-the-kind-before-the-method"),
    ],
)  # fmt: skip
def test_differences_on_purpose(
    path: str, method: str, ours: tuple[Any, ...], others: tuple[Any, ...]
) -> None:
    assert our_answer(path, method) == ours
    assert their_answer(path, method) == others


def found_by(texts: list[str], path: str) -> tuple[Any, Any]:
    ours = Map([Rule(text, endpoint=text) for text in texts])
    others = werkzeug.Map([werkzeug.Rule(text, endpoint=text) for text in texts])
    try:
        other = others.bind("h").match(path)[0]
    except theirs.HTTPException as error:
        other = error.code
    return ours.match(path, "GET")[0].rule, other


@pytest.mark.parametrize(
    ("texts", "path", "found"),
    [
        pytest.param(["/<int(max=5):x>", "/<string:x>"], "/9", ("/<string:x>", 404),
                     id="CV-7-the-next-rule-is-tried"),
        pytest.param(["/<x>", "/<any(a):x>"], "/a", ("/<any(a):x>", "/<x>"),
                     id="MT-5-any-before-string"),
        pytest.param(["/<path:p>/edit", "/<x>/edit"], "/a/edit", ("/<x>/edit", "/<path:p>/edit"),
                     id="string-before-path-in-every-segment"),
    ],
)  # fmt: skip
def test_differences_of_order_on_purpose(
    texts: list[str], path: str, found: tuple[Any, Any]
) -> None:
    assert found_by(texts, path) == found


BUILDS: list[tuple[str, dict[str, Any]]] = [
    ("/", {}),
    ("/", {"a": "1 2&3", "b": ["x", "ü"]}),
    ("/users/<name>", {"name": "a b&ü?#%"}),
    ("/", {"a": [None, 1], "b": "a\r\n"}),
    ("/users/<name>/posts/<int:id>", {"name": "x", "id": "7", "q": "/:@"}),
    ("/files/<path:p>", {"p": "a/b c/é.css"}),
    ("/fixed/<int(fixed_digits=4):n>", {"n": 7}),
    ("pages", {}),
    ("pages", {"page": 1}),
    ("pages", {"page": 2}),
    ("/ratio/<float:r>", {"r": 1.5}),
    ("/ws", {}),
]


@pytest.mark.parametrize(("endpoint", "values"), BUILDS)
def test_the_same_urls_as_werkzeug(endpoint: str, values: dict[str, Any]) -> None:
    ours = OURS.bind("h", "/app").build(endpoint, values)
    assert ours == THEIRS.bind("h", "/app").build(endpoint, values)


@pytest.mark.parametrize(
    ("endpoint", "values", "url"),
    [
        pytest.param("/users/<name>", {"name": "../a"}, "/users/..%2Fa",
                     id="B-238-a-segment-stays-one"),
        pytest.param("/users/<name>", {"name": ".."}, None, id="B-238-clients-resolve-dots"),
        pytest.param("/files/<path:p>", {"p": "a/../b"}, None, id="B-238-dots-in-a-path"),
        pytest.param("/users/<name>", {"name": "a\0"}, None, id="B-238-control-character"),
        pytest.param("/users/<name>/posts/<int:id>", {"name": "x", "id": 1.5}, None,
                     id="B-237-no-silent-rounding"),
        pytest.param("/users/<name>/posts/<int:id>", {"name": "x", "id": -1}, None,
                     id="B-237-no-link-to-a-404"),
        pytest.param("/users/<name>", {"name": ""}, None, id="B-238-empty-segment"),
    ],
)  # fmt: skip
def test_differences_of_urls_on_purpose(
    endpoint: str, values: dict[str, Any], url: str | None
) -> None:
    assert THEIRS.bind("h").build(endpoint, values) != url
    if url is not None:
        assert OURS.bind("h").build(endpoint, values) == url
    else:
        with pytest.raises(BuildError):
            OURS.bind("h").build(endpoint, values)
