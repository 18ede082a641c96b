"""Floor 5: templates by Jinja2: the environment of an application, and rendering in a context.

The one package that imports Jinja2; the application imports it at the first use of a template.
"""

from erlen.templating.environment import Environment, create_environment
from erlen.templating.loader import AppLoader, folder_loader
from erlen.templating.rendering import (
    Renderer,
    get_template_attribute,
    render_block,
    render_template,
    render_template_string,
    stream_template,
    stream_template_string,
)

__all__ = [
    "AppLoader",
    "Environment",
    "Renderer",
    "create_environment",
    "folder_loader",
    "get_template_attribute",
    "render_block",
    "render_template",
    "render_template_string",
    "stream_template",
    "stream_template_string",
]
