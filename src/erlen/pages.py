"""Floor 5: the templating functions that the package exports; Jinja2 loads at their first use."""

from typing import Any


async def render_template(name: str | list[str], /, **context: Any) -> str:
    """Render a template of the running context's application.

    Args:
        name: File in the template folders, or several of which the first found is taken.
        context: Variables; they win over those of context processors.

    Raises:
        jinja2.TemplateNotFound: No folder has it.
        OutsideContextError: No context is running.
    """
    from erlen import templating

    return await templating.render_template(name if isinstance(name, str) else [*name], **context)


async def render_template_string(source: str, /, **context: Any) -> str:
    """Render template text; as :func:`render_template`."""
    from erlen import templating

    return await templating.render_template_string(source, **context)
