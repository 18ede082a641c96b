"""What a template prints is escaped as markupsafe does it, in the same characters."""

import enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from erlen.app import Erlen
from erlen.templating.escaping import SHORT, escape_printed
from tests.templating.making import render


@given(st.text(st.sampled_from("&<>\"'a;#é\ud800\0"), max_size=2 * SHORT))
@example("&" * SHORT)
@example("<" * (SHORT + 1))
def test_b245_text_is_escaped_as_markupsafe_does(text: str) -> None:
    assert escape_printed(text) == escape(text)


class Shout(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "<shout>"


class Safe:
    def __html__(self) -> str:
        return "<b>"


class Number(int):
    def __repr__(self) -> str:
        return "<7>"


class Color(enum.StrEnum):
    RED = "<red>"


VALUES = [
    *(0, -1, 1.5, float("nan"), float("-inf"), True, None, 2 + 1j, b"<'\"&>"),
    *(Markup("<b>&"), Shout("<a>"), Safe(), Number(7), Color.RED, ["<"], {"'": '"'}, object),
]


@pytest.mark.parametrize("value", VALUES)
async def test_b245_values_are_escaped_as_markupsafe_does(app: Erlen, value: Any) -> None:
    assert escape_printed(value) == escape(value)
    assert await render(app, "{{ value }}", value=value) == escape(value)


async def test_b245_what_was_escaped_once_is_not_escaped_again(app: Erlen) -> None:
    source = """{% macro m(x) %}{{ x }}{% endmacro %}{% set s %}{{ x }}{% endset %}
{%- filter upper %}{{ x }}{% endfilter %} {{ m(x) }} {{ s }} {{ x ~ s }} {{ x|e }}"""
    page = "&LT;&#39;&GT; &lt;&#39;&gt; &lt;&#39;&gt; &lt;&#39;&gt;&lt;&#39;&gt; &lt;&#39;&gt;"
    assert await render(app, source, x="<'>") == page
