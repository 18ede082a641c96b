"""Floor 8: the one place that decides between ``httpx2`` and ``httpx``.

``httpx2`` is taken when it is installed, ``httpx`` otherwise; the environment variable
``ERLEN_HTTPX`` forces either. Both have the same public names, so everything here is typed against
``httpx`` and runs on both.
"""

import os
from importlib.util import find_spec

from erlen.exceptions import SetupError

__all__ = ["choose", "httpx"]


def choose(asked: str | None, *, httpx2_installed: bool) -> str:
    """Return ``"httpx"`` or ``"httpx2"``.

    Args:
        asked: Value of ``ERLEN_HTTPX``; ``None`` or ``""`` when it is not set.
        httpx2_installed: Whether ``import httpx2`` would work.

    Raises:
        SetupError: *asked* is neither name.
    """
    if not asked:
        return "httpx2" if httpx2_installed else "httpx"
    if asked not in {"httpx", "httpx2"}:
        raise SetupError(
            f"ERLEN_HTTPX is {asked!r}, which is no HTTP client known here. "
            "Set it to 'httpx' or 'httpx2', or remove it."
        )
    return asked


_asked = os.environ.get("ERLEN_HTTPX")
if choose(_asked, httpx2_installed=find_spec("httpx2") is not None) == "httpx":
    import httpx
else:
    import httpx2 as httpx  # type: ignore[no-redef]  # a fork with the same public names
