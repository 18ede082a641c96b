"""Floor 8: the ``erlen`` command, and what an application's own commands are made of."""

from erlen.cli.group import AppGroup, ScriptInfo, with_appcontext

__all__ = ["AppGroup", "ScriptInfo", "with_appcontext"]
