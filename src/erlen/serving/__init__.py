"""Floor 8: serve an application on uvicorn, for development."""

from erlen.serving.start import in_event_loop, run

__all__ = ["in_event_loop", "run"]
