"""Where servers are known to differ, and why: one table, and nothing that is not in it.

A test asks ``server.expects(topic, usual)``. A server with a row here must then do exactly what the
row says; when it does what is usual, the quirk has gone, the test fails, and the row is deleted.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Quirk:
    """One difference.

    Attributes:
        topic: What tests ask for.
        servers: Beginnings of the names of the servers that have it.
        instead: What is seen in place of the usual.
        reason: Why.
    """

    topic: str
    servers: tuple[str, ...]
    instead: Any
    reason: str


QUIRKS: tuple[Quirk, ...] = ()
