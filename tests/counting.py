"""Counting calls: the same on every machine and at every time, unlike seconds."""

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def profile(call: Callable[[], object], note: Callable[[FrameType, str, Any], None]) -> None:
    """Call *call* and tell *note* of every call in it, its own included.

    No garbage is collected meanwhile: a collection calls the hooks of whoever watches it.
    """
    gc.disable()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        gc.enable()


def count_calls(call: Callable[[], object]) -> int:
    """Return how many Python and C functions *call* calls."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event.endswith("call")

    profile(call, note)
    return count
