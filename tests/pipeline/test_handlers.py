"""Which error handler takes an error."""

from typing import Any

import pytest

from erlen.exceptions import Gone, HTTPException, NotFound
from erlen.pipeline import handlers
from erlen.pipeline.handlers import ErrorHandlers


class Teapot(HTTPException):
    code = 418


class Kettle(Teapot):
    pass


def scope_of(*keys: tuple[int | None, type[Exception]]) -> Any:
    """Return handlers as the plan has them; each one is the key it stands for."""
    found: dict[int | None, dict[type[Exception], Any]] = {}
    for code, cls in keys:
        found.setdefault(code, {})[cls] = (code, cls.__name__)
    return found


LOOKUPS = {
    "code-beats-class": (Teapot(), [[(None, HTTPException)], [(418, Teapot)]], (1, 418, "Teapot")),
    "inner-beats-outer": (Teapot(), [[(418, Teapot)], [(418, Teapot)]], (0, 418, "Teapot")),
    "mro-per-scope": (
        FileNotFoundError(),
        [[(None, Exception)], [(None, OSError)]],
        (0, None, "Exception"),
    ),
    "nearest-class": (
        FileNotFoundError(),
        [[(None, Exception), (None, OSError)]],
        (0, None, "OSError"),
    ),
    "subclass-of-a-code": (Kettle(), [[(418, Teapot), (418, Kettle)]], (0, 418, "Kettle")),
    "base-of-a-code": (Kettle(), [[(418, Teapot)]], (0, 418, "Teapot")),
    "class-of-another-code": (
        Gone(),
        [[(404, NotFound)], [(None, HTTPException)]],
        (1, None, "HTTPException"),
    ),
    "exception-takes-http": (NotFound(), [[(None, Exception)]], (0, None, "Exception")),
    "code-handler-takes-no-other": (ValueError(), [[(404, NotFound)]], None),
    "none": (ValueError(), [[(None, OSError)], []], None),
}


@pytest.mark.parametrize(
    ("error", "keys", "expected"),
    [pytest.param(*row, id=f"ER-2-{name}") for name, row in LOOKUPS.items()],
)
def test_er2_handler_is_found_by_the_table(error: Exception, keys: Any, expected: Any) -> None:
    scopes: Any = tuple(
        {
            code: {cls: (number, *key) for cls, key in by_class.items()}
            for code, by_class in scope_of(*scope).items()
        }
        for number, scope in enumerate(keys)
    )
    assert ErrorHandlers(scopes).find(error) == expected


def test_errors_of_one_class_may_have_different_codes() -> None:
    found: Any = ErrorHandlers([scope_of((418, Teapot), (None, HTTPException))])
    error = Teapot()
    assert found.find(error) == (418, "Teapot")
    error.code = 419
    assert found.find(error) == (None, "HTTPException")


def test_kinds_of_errors_that_are_made_while_serving_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handlers, "_MOST", 2)
    found: Any = ErrorHandlers([scope_of((None, OSError))])
    kinds = [type(f"Error{number}", (OSError,), {}) for number in range(5)]
    assert [found.find(kind()) for kind in kinds] == [(None, "OSError")] * 5
    assert len(found._known) <= 2
