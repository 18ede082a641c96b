"""Floor 8: error pages with a console, for the developer alone; imported in debug mode only."""

from erlen.debugger.failed import FailedApp
from erlen.debugger.middleware import Debugger

__all__ = ["Debugger", "FailedApp"]
