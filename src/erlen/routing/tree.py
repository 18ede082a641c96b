"""Floor 2: many rules at once: the tree that finds the rule for a path.

Every node stands for a prefix of segments. A search goes down segment by segment: the static child
first, then the dynamic parts from the most to the least specific, and back up where it fails. A
node has exactly one place in the tree, so a search visits each at most once, whatever the path is.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from erlen.routing.pattern import Part, Reader
from erlen.routing.rule import Rule

#: What a search found: the rule, the values of its placeholders, whether a slash lacks.
Hit: TypeAlias = tuple[Rule, tuple[Any, ...], bool]
#: A rule that may end at a node, and whether the path must get a slash to reach it.
Ending: TypeAlias = tuple[Rule, bool]
#: By path, the methods and rules that answer it.
Exact: TypeAlias = dict[str, list[tuple[frozenset[str], Rule]]]
#: What is asked for: the method in upper case, whether a WebSocket, and a list that takes the rules
#: which fit the path but not these two.
Wanted: TypeAlias = tuple[str, bool, list[Rule]]


class Edge:
    """A dynamic part and the node behind it."""

    __slots__ = ("is_rest", "node", "part", "read")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.is_rest = part.is_rest
        self.read: Reader = part.reader()
        self.node = Node()


class Node:
    """A prefix of segments.

    Attributes:
        static: Children by the text of the next segment.
        edges: Dynamic children, most specific first once :meth:`finish` was called.
        leaves: Rules that end here without a slash.
        branches: Rules that end here with a slash.
        plain: What answers a path that ends here without a slash.
        slashed: What answers a path that ends here with a slash.
    """

    __slots__ = ("_by_key", "branches", "edges", "leaves", "plain", "slashed", "static")

    def __init__(self) -> None:
        self.static: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.leaves: list[Ending] = []
        self.branches: list[Ending] = []
        self.plain: list[Ending] = []
        self.slashed: list[Ending] = []
        self._by_key: dict[tuple[Any, ...], Edge] | None = None

    def below(self, part: str | Part) -> "Node":
        """Return the child for *part*; a new one when there was none."""
        if isinstance(part, str):
            child = self.static.get(part)
            if child is None:
                child = self.static[part] = Node()
            return child
        if self._by_key is None:
            self._by_key = {}
        edge = self._by_key.get(part.key)
        if edge is None:
            edge = self._by_key[part.key] = Edge(part)
            self.edges.append(edge)
        return edge.node

    def finish(self) -> None:
        """Sort the dynamic children and decide which rules answer with and without a slash."""
        if len(self.edges) > 1:
            self.edges.sort(key=lambda edge: edge.part.specificity())
        self.plain = self.leaves + [(rule, bool(rule.strict_slashes)) for rule, _ in self.branches]
        self.slashed = self.branches + [end for end in self.leaves if not end[0].strict_slashes]


class Tree:
    """The rules of one domain.

    Attributes:
        exact: For HTTP and for WebSocket, what answers a path without placeholders at once: no
            redirect and nothing to convert.
    """

    __slots__ = ("_may_be_empty", "_root", "exact")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._root = Node()
        self._may_be_empty = False
        for rule in rules:
            node = self._root
            for part in rule.parts:
                node = node.below(part)
            (node.branches if rule.is_branch else node.leaves).append((rule, False))
        self._finish()
        self.exact: tuple[Exact, Exact] = ({}, {})
        fixed = [rule for rule in rules if rule.is_fixed]
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
            for edge in node.edges:
                nodes.append(edge.node)
                self._may_be_empty |= edge.part.may_be_empty

    def find(self, segments: list[str], wanted: Wanted) -> Hit | None:
        """Return the rule for a path, ``None`` when there is none.

        Args:
            segments: The path without its leading slash, split at slashes; an encoded slash in a
                segment is :data:`~erlen.routing.converters.ENCODED_SLASH`.
            wanted: What is asked for. The method ``""`` finds nothing, so that all rules for the
                path are told.
        """
        if segments[-1]:
            return self._search(segments, False, wanted)
        hit = self._search(segments[:-1], True, wanted)
        if hit is None and self._may_be_empty:
            hit = self._search(segments, False, wanted)
        return hit

    def _search(self, segments: list[str], slash: bool, wanted: Wanted) -> Hit | None:
        """Search for *segments*, with a slash behind them or without."""
        node, depth = self._root, 0
        values: tuple[Any, ...] = ()
        end = len(segments)
        # The dynamic children of the nodes passed, each list as far as it was tried.
        left: list[tuple[Iterator[Edge], int, tuple[Any, ...]]] = []
        while True:
            if depth == end:
                hit = _choose(node.slashed if slash else node.plain, values, wanted)
                if hit is not None:
                    return hit
            else:
                if node.edges:
                    left.append((iter(node.edges), depth, values))
                child = node.static.get(segments[depth])
                if child is not None:
                    node = child
                    depth += 1
                    continue
            while left:
                edges, depth, values = left[-1]
                edge = next(edges, None)
                if edge is None:
                    left.pop()
                elif edge.is_rest:
                    hit = _take_rest(edge, "/".join(segments[depth:]), slash, values, wanted)
                    if hit is not None:
                        return hit
                else:
                    read = edge.read(segments[depth])
                    if read is not None:
                        node, depth, values = edge.node, depth + 1, values + read
                        break
            else:
                return None


def _choose(endings: list[Ending], values: tuple[Any, ...], wanted: Wanted) -> Hit | None:
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
