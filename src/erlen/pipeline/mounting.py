"""Floor 6: which application serves an exchange: this one, or one that is mounted below a path."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from erlen.exceptions import HTTPException, RequestRedirect, SetupError
from erlen.pipeline.bare import answer_bare
from erlen.pipeline.mount import Mount
from erlen.pipeline.plan import Plan
from erlen.protocols import ASGIApp, Receive, Scope, Send
from erlen.routing.converters import PathConverter
from erlen.routing.outcome import location, split_path
from erlen.routing.rule import Rule
from erlen.routing.tree import Tree, Wanted
from erlen.wire.urls import quote_path


class Mounted:
    """What hands exchanges below the path of a mount on, and serves the others.

    The longest path wins. A rule of the application itself that says at least as much as the mount,
    ``/sub/login`` beside the mount ``/sub``, wins over it where it answers.
    """

    def __init__(self, plan: Plan, mounts: Iterable[Mount], serve: ASGIApp) -> None:
        """Look at the rules of *plan*, which is compiled.

        Raises:
            SetupError: A rule leaves nothing to a mount.
        """
        self._plan = plan
        self._serve = serve
        rules = [rule for rule in plan.app.url_map.iter_rules() if not rule.build_only]
        self._doors = [
            _Door(mount, rules)
            for mount in sorted(mounts, key=lambda mount: len(mount.segments), reverse=True)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope, or hand it on with the path of its mount in ``root_path``."""
        inner = self._find(scope) if scope["type"] in {"http", "websocket"} else None
        if inner is None:
            await self._serve(scope, receive, send)
        else:
            await inner(receive, send)

    def _find(self, scope: Scope) -> Any:
        """Return what serves *scope* below a mount, ``None`` when it is the application itself."""
        path: str = scope["path"]
        if not any(door.mount.path in path for door in self._doors):
            return None
        admit = self._plan.admit
        try:
            host = admit.check_section(scope)
            path, given = admit.split_target(scope, host)
            segments = split_path(given or path)
        except HTTPException:
            return None  # refused by the application itself
        domain = admit.domain(scope, host)
        for door in self._doors:
            if door.mount.segments == segments[: len(door.mount.segments)]:
                if door.has_rule_for(segments, scope) and self._has_rule(segments, domain, scope):
                    return None
                return functools.partial(door.enter, scope, path, given or path[1:].split("/"))
        return None

    def _has_rule(self, segments: list[str], domain: str, scope: Scope) -> bool:
        """Whether a rule of this domain answers, too."""
        websocket = scope["type"] == "websocket"
        try:
            self._plan.app.url_map.match(segments, scope.get("method", "GET"), websocket, domain)
        except RequestRedirect:
            return True
        except HTTPException:
            return False
        return True


class _Door:
    """One mount, with the rules of the application that lie below its path."""

    def __init__(self, mount: Mount, rules: Sequence[Rule]) -> None:
        self.mount = mount
        count = len(mount.segments)
        below = [rule for rule in rules if list(rule.parts[:count]) == mount.segments]
        for rule in below:
            _check_room(mount, rule, rule.parts[count:])
        self._tree = Tree(below) if below else None

    def has_rule_for(self, segments: list[str], scope: Scope) -> bool:
        """Whether a rule below the mount fits a path, of whatever domain."""
        if self._tree is None:
            return False
        wanted: Wanted = (scope.get("method", "GET"), scope["type"] == "websocket", [])
        hit = self._tree.find(segments, wanted)
        if hit is None and not segments[-1]:
            hit = self._tree.find(segments, wanted, keep_slash=True)
        return hit is not None

    async def enter(
        self, scope: Scope, path: str, segments: list[str], receive: Receive, send: Send
    ) -> None:
        """Hand an exchange on; *path* and *segments* are decoded and below the root path.

        ``/sub`` itself is redirected to ``/sub/``, so that relative links lead below it. WebSockets
        follow no redirect: they are handed on as if the slash were there.
        """
        mount = self.mount
        root = (scope.get("root_path") or "").strip("/")
        root = f"/{root}" if root else ""
        if path == mount.path:
            path, segments = f"{path}/", [*segments, ""]
            if scope["type"] == "http":
                query = scope.get("query_string", b"").decode("latin-1")
                target = location(quote_path(root + path), query)
                return await answer_bare(scope, send, 308, (b"location", target.encode()))
        inner = dict(scope)
        inner["root_path"] = root + mount.path
        inner["path"] = root + path
        inner["state"] = {**(scope.get("state") or {}), **mount.state}
        raw = scope.get("raw_path")
        if raw is not None and unquote_to_bytes(raw) != inner["path"].encode():
            # The server has left the root path out, or a proxy's client has sent the absolute form.
            below = "/".join(quote_path(each).replace("/", "%2F") for each in segments)
            inner["raw_path"] = f"{quote_path(root)}/{below}".encode()
        await mount.app(inner, receive, send)
        return None


def _check_room(mount: Mount, rule: Rule, parts: Sequence[Any]) -> None:
    """Refuse a rule that answers everything below a mount."""
    pieces: Sequence[Any] = getattr(parts[0], "pieces", ()) if len(parts) == 1 else ()
    takes_rest = len(pieces) == 1 and type(pieces[0].converter) is PathConverter
    if takes_rest and rule.domain is None and not rule.websocket:
        raise SetupError(
            f"The rule {rule.rule!r} ({rule.origin}) answers all that is below "
            f"{mount.path or '/'!r}, where {mount.app!r} is mounted. Mount it at another path, or "
            "take the rule away."
        )
