"""Floor 5: the templating functions that the package exports; Jinja2 loads at their first use."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, cast


class _Template(Protocol):
    """A template of Jinja2, which is not imported here."""

    @property
    def blocks(self) -> Mapping[str, Any]: ...


Named: TypeAlias = str | _Template | Sequence[str | _Template]


async def render_template(template_name_or_list: Named, /, **context: Any) -> str:
    """Render a template of the running context's application.

    Args:
        template_name_or_list: File in the template folders, a template, or several of which the
            first found is taken.
        context: Variables; they win over those of context processors.

    Raises:
        jinja2.TemplateNotFound: No folder has it.
        OutsideContextError: No context is running.
    """
    from erlen import templating

    return await templating.render_template(cast(Any, template_name_or_list), **context)


async def render_template_string(source: str, /, **context: Any) -> str:
    """Render template text, which must not be a user's; else as :func:`render_template`."""
    from erlen import templating

    return await templating.render_template_string(source, **context)


async def stream_template(
    template_name_or_list: Named, /, **context: Any
) -> AsyncGenerator[str, None]:
    """Return the chunks of a template, which is rendered while they are read.

    A view returns them: ``return await stream_template("large.html", rows=rows)``. Fragments are
    gathered to chunks of 8 KiB (the first: 1 KiB), or for 10 ms. Else as :func:`render_template`.
    """
    from erlen import templating

    return await templating.stream_template(cast(Any, template_name_or_list), **context)


async def stream_template_string(source: str, /, **context: Any) -> AsyncGenerator[str, None]:
    """Return the chunks of template text; as :func:`stream_template`."""
    from erlen import templating

    return await templating.stream_template_string(source, **context)


async def render_block(
    template_name_or_list: str | Sequence[str], block: str, /, **context: Any
) -> str:
    """Render one block of a template, for a page that replaces a part of itself.

    Overridden blocks and ``super()`` work as in the whole page.

    Raises:
        jinja2.TemplateNotFound: No folder has the template.
        LookupError: It has no such block; the sentence names those that it has.
        OutsideContextError: No context is running.
    """
    from erlen import templating

    return await templating.render_block(template_name_or_list, block, **context)


async def get_template_attribute(template_name: str, attribute: str) -> Any:
    """Return a macro or variable that a template exports.

    A macro is awaited when it is called: ``await (await get_template_attribute(...))("World")``.

    Raises:
        jinja2.TemplateNotFound: No folder has the template.
        AttributeError: It exports no such name.
        OutsideContextError: No context is running.
    """
    from erlen import templating

    return await templating.get_template_attribute(template_name, attribute)
