"""Every check of the project; continuous integration runs the same sessions."""

import shutil
import sys
from pathlib import Path

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
    """What erlen costs beside bare ASGI and its peers, each in an environment of its own."""
    session.run("python", "-m", "bench.run", *session.posargs)


@nox.session
def instructions(session: nox.Session) -> None:
    """Two revisions by the instructions that they need; ends with 1 where one needs 3 % more."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "bench.instructions", *session.posargs)


@nox.session
def performance(session: nox.Session) -> None:
    """All that docs/performance.md tells, measured anew, and the page written."""
    session.install("-e", ".[bench]")
    figures = {
        "bench.run": "process",
        "bench.wire": "wire",
        "bench.startup": "startup",
        "bench.instructions.peers": "peers",
        "bench.instructions.stages": "stages",
        "bench.calls": "calls",
    }
    Path("figures").mkdir(exist_ok=True)
    for module, name in figures.items():
        session.run("python", "-m", module, "--json", f"figures/{name}.json")
    files = [f"figures/{name}.json" for name in figures.values()]
    session.run("python", "-m", "bench.page", *files)
