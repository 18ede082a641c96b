"""Flask's vocabulary on an async core."""
