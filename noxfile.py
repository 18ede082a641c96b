"""Every check of the project; continuous integration runs the same sessions."""

import shutil
import sys

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "tests", "coverage"]

#: The interpreters that erlen supports; those that are not installed are skipped by name.
PYTHONS = [
    version
    for version in ("3.11", "3.12", "3.13")
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version
    or shutil.which(f"python{version}")
]


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, lint rules and the layering contract."""
    session.install("-e", ".[dev]")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """mypy strict on everything, pyright on the public surface."""
    session.install("-e", ".[dev]")
    session.run("mypy")
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The whole test suite, on asyncio and trio; arguments go to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Branch coverage of the core: 100 %."""
    session.install("-e", ".[test]")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-q", *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report", "--fail-under=100")


@nox.session
def docs(session: nox.Session) -> None:
    """The code of README and docs, run as it stands."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "tests/docs", *session.posargs)


@nox.session
def lifetimes(session: nox.Session) -> None:
    """What is lost and what is left when servers end and clients leave."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "bench.lifetimes", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """What erlen costs beside bare ASGI and its peers, in one run."""
    session.install("-e", ".[bench]")
    session.run("python", "bench/run.py", *session.posargs)
