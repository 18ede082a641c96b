"""What of an application's threads is in use; all of it is free when nothing runs."""

import threading

from anyio import to_thread

from erlen import Erlen
from erlen.threads import Threads


def taken(app: Erlen) -> dict[str, int]:
    """Return how much of each limit of this event loop is taken or waited for."""
    counts = {"anyio's threads": to_thread.current_default_thread_limiter().borrowed_tokens}
    for threads in pools(app):
        for name, places in threads._in_loop().limits._asdict().items():
            counts[f"the places of {name}"] = places.taken + places.waiting
    return {name: count for name, count in counts.items() if count}


def busy_workers(app: Erlen) -> set[threading.Thread]:
    """Return the threads that are at work, lent to somebody, or another application's."""
    idle = {thread for pool in pools(app) for thread in pool._idle}
    return {
        thread
        for thread in threading.enumerate()
        if thread.name == "erlen-worker" and thread not in idle
    }


def pools(app: Erlen) -> list[Threads]:
    """Return the threads of the application's exchanges, and of its background tasks."""
    background = app.background_tasks.__dict__.get("_threads")
    return [app.threads] if background is None else [app.threads, background]


def close(app: Erlen) -> None:
    """End the idle threads."""
    for pool in pools(app):
        pool.close()
