"""Where a server itself falls short of a bound, whatever it serves."""

from dataclasses import dataclass

from bench.lifetimes.measured import Measured


@dataclass(frozen=True)
class Known:
    """A bound that a server breaks, always or by chance.

    Attributes:
        servers: Beginnings of their names.
        fault: Which bound.
        reason: Why.
    """

    servers: tuple[str, ...]
    fault: str
    reason: str


KNOWN = (
    Known(
        ("uvicorn",),
        "exit code",
        "When it has ended in order it raises the signal again, and dies of that.",
    ),
    Known(
        ("hypercorn",),
        "lost",
        "It closes every connection that is idle, some of them after their next request has come "
        "and been given to the application.",
    ),
    Known(
        ("hypercorn trio",),
        "seconds",
        "It waits for connections that it has closed itself, until its grace is over; background "
        "tasks have their second after that.",
    ),
)


def unexplained(found: Measured) -> dict[str, object]:
    """Return the faults that are not of the server."""
    known = {each.fault for each in KNOWN if found.server.startswith(each.servers)}
    return {fault: seen for fault, seen in found.faults.items() if fault not in known}
