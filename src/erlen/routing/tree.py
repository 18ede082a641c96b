"""Floor 2: many rules at once: the tree that finds the rule for a path.

Every node stands for a prefix of segments. A search goes down segment by segment: the static child
first, then the dynamic parts from the most to the least specific, and back up where it fails. A
node has exactly one place in the tree, so a search visits each at most once, whatever the path is.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from erlen.routing.pattern import Part, Reader
from erlen.routing.rule import Rule

#: What a search found: the rule, the values of its placeholders, whether a slash lacks.
Hit: TypeAlias = tuple[Rule, tuple[Any, ...], bool]
#: Rules that may end at a node, and whether the path must get a slash to reach them.
Endings: TypeAlias = tuple[tuple[Rule, bool], ...]
#: By path, the methods and rules that answer it.
Exact: TypeAlias = dict[str, list[tuple[frozenset[str], Rule]]]
#: What is asked for: the method in upper case, whether a WebSocket, and a list that takes the rules
#: which fit the path but not these two.
Wanted: TypeAlias = tuple[str, bool, list[Rule]]


class Edge:
    """A dynamic part and the node behind it.

    Attributes:
        less: The next less specific part at the same place.
    """

    __slots__ = ("is_rest", "less", "node", "part", "read")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.is_rest = part.is_rest
        self.read: Reader = part.reader()
        self.node = Node()
        self.less: Edge | None = None


class Node:
    """A prefix of segments.

    Attributes:
        static: Children by the text of the next segment.
        edges: Dynamic children by the key of their part.
        best: The most specific of them; set by :meth:`finish`.
        leaves: Rules that end here without a slash.
        branches: Rules that end here with a slash.
        plain: What answers a path that ends here without a slash.
        slashed: What answers a path that ends here with a slash.
    """

    __slots__ = ("best", "branches", "edges", "leaves", "plain", "slashed", "static")

    def __init__(self) -> None:
        self.static: dict[str, Node] = {}
        self.edges: dict[tuple[Any, ...], Edge] = {}
        self.best: Edge | None = None
        self.leaves: Endings = ()
        self.branches: Endings = ()
        self.plain: Endings = ()
        self.slashed: Endings = ()

    def below(self, part: str | Part) -> "Node":
        """Return the child for *part*; a new one when there was none."""
        if isinstance(part, str):
            child = self.static.get(part)
            if child is None:
                child = self.static[part] = Node()
            return child
        edge = self.edges.get(part.key)
        if edge is None:
            edge = self.edges[part.key] = Edge(part)
        return edge.node

    def finish(self) -> None:
        """Sort the dynamic children and decide which rules answer with and without a slash."""
        edges = list(self.edges.values())
        if len(edges) > 1:
            edges.sort(key=_specificity, reverse=True)
        for edge in edges:
            edge.less, self.best = self.best, edge
        if self.leaves or self.branches:
            loose = tuple(end for end in self.leaves if not end[0].strict_slashes)
            lacking = tuple((rule, bool(rule.strict_slashes)) for rule, _ in self.branches)
            self.plain = self.leaves + lacking
            self.slashed = self.branches + loose


class Tree:
    """The rules of one domain.

    Attributes:
        exact: For HTTP and for WebSocket, what answers a path without placeholders at once: no
            redirect and nothing to convert.
    """

    __slots__ = ("_root", "exact", "may_be_empty")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._root = Node()
        self.may_be_empty = False
        for rule in rules:
            node = self._root
            for part in rule.parts:
                node = node.below(part)
            if rule.is_branch:
                node.branches += ((rule, False),)
            else:
                node.leaves += ((rule, False),)
        self._finish()
        self.exact: tuple[Exact, Exact] = ({}, {})
        fixed = [rule for rule in rules if not rule.value_names and rule.is_final]
        for rule in fixed:
            self._add_exact(rule, rule.path.texts[0])
        for rule in fixed:
            if not rule.strict_slashes and rule.path.texts[0] != "/":
                text = rule.path.texts[0]
                self._add_exact(rule, text[:-1] if rule.is_branch else f"{text}/")

    def _add_exact(self, rule: Rule, path: str) -> None:
        if rule.methods is not None:
            self.exact[rule.websocket].setdefault(path, []).append((rule.methods, rule))

    def _finish(self) -> None:
        nodes = [self._root]
        while nodes:
            node = nodes.pop()
            node.finish()
            nodes += node.static.values()
            for edge in node.edges.values():
                nodes.append(edge.node)
                self.may_be_empty |= edge.part.may_be_empty

    # PERF: one function, because calls to smaller ones cost a fifth more time (2.5 us, not 2.1).
    def find(  # noqa: C901, PLR0912  # as the line above says
        self, segments: list[str], wanted: Wanted, keep_slash: bool = False
    ) -> Hit | None:
        """Return the rule for a path, ``None`` when there is none.

        Args:
            segments: The path without its leading slash, split at slashes; an encoded slash in a
                segment is :data:`~erlen.routing.converters.ENCODED_SLASH`.
            wanted: What is asked for. The method ``""`` finds nothing, so that all rules for the
                path are told.
            keep_slash: Take what follows the last slash as a segment, even if there is nothing.
        """
        method, websocket, missed = wanted
        node, depth, end = self._root, 0, len(segments)
        slash = not segments[-1] and not keep_slash
        if slash:
            end -= 1
        values: tuple[Any, ...] = ()
        # Dynamic parts not tried yet, with the depth and the values at which to try them.
        left: list[tuple[Edge, int, tuple[Any, ...]]] = []
        while True:
            if depth == end:
                for rule, lacks_slash in node.slashed if slash else node.plain:
                    if rule.websocket == websocket and (
                        method in rule.methods if rule.methods is not None else method
                    ):
                        return rule, values, lacks_slash
                    missed.append(rule)
                edge = None
            else:
                edge = node.best
                child = node.static.get(segments[depth])
                if child is not None:
                    if edge is not None:
                        left.append((edge, depth, values))
                    node = child
                    depth += 1
                    continue
            while True:
                if edge is None:
                    if not left:
                        return None
                    edge, depth, values = left.pop()
                if edge.is_rest:
                    text = "/".join(segments[depth:end])
                    hit = _take_rest(edge, text, slash, values, wanted)
                    if hit is not None:
                        return hit
                else:
                    read = edge.read(segments[depth])
                    if read is not None:
                        if edge.less is not None:
                            left.append((edge.less, depth, values))
                        node = edge.node
                        depth += 1
                        values += read
                        break
                edge = edge.less


def _specificity(edge: Edge) -> tuple[Any, ...]:
    return edge.part.specificity()


def _choose(endings: Endings, values: tuple[Any, ...], wanted: Wanted) -> Hit | None:
    method, websocket, missed = wanted
    for rule, lacks_slash in endings:
        if rule.websocket == websocket and (
            method in rule.methods if rule.methods is not None else method
        ):
            return rule, values, lacks_slash
        missed.append(rule)
    return None


def _take_rest(
    edge: Edge, text: str, slash: bool, values: tuple[Any, ...], wanted: Wanted
) -> Hit | None:
    """Match all the rest of a path; its last slash belongs to a leaf's value, not to a branch's."""
    node = edge.node
    choices = [(text, node.branches), (f"{text}/", node.leaves)] if slash else [(text, node.plain)]
    for each, endings in choices:
        read = edge.read(each) if endings else None
        if read is not None:
            hit = _choose(endings, values + read, wanted)
            if hit is not None:
                return hit
    return None
