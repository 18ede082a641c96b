"""Floor 8: the test client."""
