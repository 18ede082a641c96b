"""Floor 5: the application's logger, visible without configuration."""

import logging
import sys


class _Stderr:
    """Whatever ``sys.stderr`` is at the moment of writing; tests and servers replace it."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


#: Writes to stderr; added only where nobody else would write.
default_handler = logging.StreamHandler(_Stderr())
default_handler.setFormatter(
    logging.Formatter("[%(asctime)s] %(levelname)s in %(module)s: %(message)s")
)


def has_level_handler(logger: logging.Logger) -> bool:
    """Whether a handler of the logger's chain takes records of its effective level."""
    level = logger.getEffectiveLevel()
    current: logging.Logger | None = logger
    while current is not None:
        if any(handler.level <= level for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


def create_logger(name: str, *, debug: bool) -> logging.Logger:
    """Return the logger *name*; an existing configuration is left as it is.

    Args:
        name: Name of the application.
        debug: Log from DEBUG on, unless a level was set.
    """
    logger = logging.getLogger(name)
    if debug and not logger.level:
        logger.setLevel(logging.DEBUG)
    if not has_level_handler(logger):
        logger.addHandler(default_handler)
    return logger
