"""Compares two revisions of erlen by counted instructions; see ../README.md."""
