"""Floor 1: sans-IO parsing and dumping of what HTTP carries."""
