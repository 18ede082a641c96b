"""Real servers under load that end, lose their clients, or are filled up; see ../README.md."""
