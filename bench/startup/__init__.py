"""What an application costs before its first request, and when it is idle; see ../README.md."""
