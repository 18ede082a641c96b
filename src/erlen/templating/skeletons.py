"""Floor 5: what must run of a template before one of its blocks can be rendered alone.

Blocks use what their template defines outside of them: its parents' blocks, imports, macros and
variables. The *skeleton* of a template is the template without all that would only print, and
extends the skeleton of its parent. Running it leaves a context in which any block can be rendered.
"""

from collections.abc import Iterator, Sequence

import jinja2
from jinja2 import nodes

#: The variable by which a skeleton finds that of its parent.
PARENT = "_erlen_parent_skeleton"

#: Statements that only print.
_PRINTING = (nodes.Output, nodes.Include, nodes.CallBlock, nodes.FilterBlock, nodes.Block)
#: Statements that run others.
_RUNNING = (nodes.If, nodes.For, nodes.With, nodes.Scope, nodes.ScopedEvalContextModifier)


class Skeletons:
    """The skeletons of the templates of one environment, each made at its first use."""

    def __init__(self, environment: jinja2.Environment) -> None:
        """*environment* loads and compiles."""
        self._environment = environment
        self._made: dict[str, jinja2.Template] = {}

    def find(self, names: str | Sequence[str]) -> jinja2.Template:
        """Return the skeleton of a template, or of the first that exists.

        Raises:
            TemplateNotFound: No loader has any.
        """
        if isinstance(names, str):
            return self.get(names)
        for name in names:
            try:
                return self.get(name)
            except jinja2.TemplateNotFound:
                continue
        raise jinja2.TemplatesNotFound([*names])

    def get(self, template: str | jinja2.Template, child: str | None = None) -> jinja2.Template:
        """Return the skeleton of a template, of the parent of *child* when that is given."""
        environment = self._environment
        name = template if isinstance(template, str) else template.name or ""
        if child is not None:
            name = environment.join_path(name, child)
        known = self._made.get(name)
        if known is not None and (not environment.auto_reload or known.is_up_to_date):
            return known
        made = self._made[name] = self._make(name)
        return made

    def _make(self, name: str) -> jinja2.Template:
        environment = self._environment
        if environment.loader is None:
            raise jinja2.TemplateNotFound(name)
        source, filename, uptodate = environment.loader.get_source(environment, name)
        tree = environment.parse(source, name, filename)
        tree.body = _Quieter(name).quiet_root(tree.body)
        code = environment.compile(tree, name, filename)
        names = environment.make_globals(None)
        return environment.template_class.from_code(environment, code, names, uptodate)


class _Quieter:
    """Takes what prints out of the root of one template."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._blocks: list[nodes.Node] = []

    def quiet_root(self, body: list[nodes.Node]) -> list[nodes.Node]:
        """Return *body* without what prints, but with all blocks."""
        quiet = self._quiet(body)
        # To be compiled a block must stand somewhere; where it stands does not matter.
        never = nodes.If(nodes.Const(False), self._blocks, [], [], lineno=1)
        return [*quiet, never]

    def _quiet(self, body: list[nodes.Node]) -> list[nodes.Node]:
        quiet = []
        for statement in body:
            if isinstance(statement, _PRINTING):
                self._blocks.extend(_outer_blocks(statement))
            elif not isinstance(statement, _RUNNING) or self._quiet_inside(statement):
                quiet.append(statement)
            if isinstance(statement, nodes.Extends):
                statement.template = self._find_skeleton(statement.template)
        return quiet

    def _quiet_inside(self, statement: nodes.Node) -> bool:
        """Quiet a statement that runs others; return whether any is left."""
        left = False
        for field in ("body", "else_"):
            if hasattr(statement, field):
                quiet = self._quiet(getattr(statement, field))
                setattr(statement, field, quiet)
                left = left or bool(quiet)
        for branch in getattr(statement, "elif_", ()):  # an empty one stays: it keeps others away
            left = self._quiet_inside(branch) or left
        return left

    def _find_skeleton(self, parent: nodes.Expr) -> nodes.Expr:
        find = nodes.Name(PARENT, "load")
        name = nodes.Const(self._name)
        return nodes.Call(find, [parent, name], [], None, None, lineno=parent.lineno)


def _outer_blocks(node: nodes.Node) -> Iterator[nodes.Block]:
    """Give the blocks in a node that stand in no other block."""
    if isinstance(node, nodes.Block):
        yield node
    else:
        for child in node.iter_child_nodes():
            yield from _outer_blocks(child)
