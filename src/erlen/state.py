"""Floor 5: ``app.state``: what the process shares, filled by lifespans."""

from collections.abc import Mapping
from typing import Any


class State:
    """The namespace ``app.state``: what lifespans yielded, and whatever else the process shares."""

    def __init__(self) -> None:
        """The namespace is empty."""

    def update(self, values: Mapping[str, Any]) -> None:
        """Set each item as an attribute."""
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"app.state has no attribute {name!r}. Yield {{{name!r}: ...}} from an @app.lifespan "
            "function, and serve the application with its lifespan (a test: "
            "'async with app.test_client() as client')."
        )
