"""Writes measured figures into a page of the documentation; see ../README.md."""
