"""Floor 6: declarations become a frozen plan, and the plan serves."""
