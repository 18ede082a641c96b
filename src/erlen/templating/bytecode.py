"""Floor 5: bytecode of templates, kept under names that tell which code was written."""

import jinja2
from jinja2.bccache import Bucket

#: To be counted up when the same template becomes other code, or asks other things of what runs it.
VERSION = 3


class OwnBytecode(jinja2.BytecodeCache):
    """A cache in which no bytecode is taken for that of Jinja, of another release or of a twin.

    The same template is other code in each of them, and its name and source do not tell which.
    """

    def __init__(self, cache: jinja2.BytecodeCache) -> None:
        """*cache* keeps it."""
        self._cache = cache

    def get_bucket(
        self, environment: jinja2.Environment, name: str, filename: str | None, source: str
    ) -> Bucket:
        """Return the bytecode of a template as *environment* has it written."""
        waits = hasattr(environment, "erlen_settle")
        way = "awaits" if environment.is_async else "waits" if waits else "plain"
        name = f"erlen-{VERSION}-{way}/{name}"
        return self._cache.get_bucket(environment, name, filename, source)

    def set_bucket(self, bucket: Bucket) -> None:
        """Keep what was loaded or compiled."""
        self._cache.set_bucket(bucket)

    def clear(self) -> None:
        """Forget all that is kept."""
        self._cache.clear()
