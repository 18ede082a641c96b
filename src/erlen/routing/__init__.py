"""Floor 2: sans-IO routing: from a path to a rule and back."""
