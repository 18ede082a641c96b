"""Floor 3: the only place that calls receive and send."""
