"""What pip has installed for a distribution, told by the interpreter of that environment.

``python -m bench.startup.installed NAME...`` prints one JSON object: the distributions that NAME
needs, itself included, and the bytes of their files without compiled bytecode.
"""

import json
import re
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pip._vendor.packaging.requirements import Requirement


def needed(names: list[str]) -> set[str]:
    """Return *names* and what they require here, directly or not, extras as they are asked for."""
    open_ones = [Requirement(name) for name in names]
    seen: set[tuple[str, frozenset[str]]] = set()
    while open_ones:
        wanted = open_ones.pop()
        key = _normal(wanted.name), frozenset(wanted.extras)
        if key not in seen:
            seen.add(key)
            open_ones += _requirements(wanted)
    return {name for name, _ in seen}


def _requirements(wanted: Requirement) -> list[Requirement]:
    listed = [Requirement(line) for line in distribution(wanted.name).requires or ()]
    extras = wanted.extras or {""}
    return [
        each
        for each in listed
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def size(installed: Distribution) -> int:
    """Return the bytes of its files; of one that is not copied but linked, those of its sources."""
    files = [Path(str(each.locate())) for each in installed.files or ()]
    files += _linked(installed)
    return sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc")


def _linked(installed: Distribution) -> list[Path]:
    """Return the package's own files, when the distribution is an editable one."""
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return []
    folder = Path(unquote(urlsplit(origin["url"]).path), "src", installed.name)
    return list(folder.rglob("*"))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(names: list[str]) -> None:
    found = sorted(needed(names)) if names else []
    total = sum(size(distribution(name)) for name in found)
    print(json.dumps({"distributions": found, "bytes": total}))


if __name__ == "__main__":
    main(sys.argv[1:])
