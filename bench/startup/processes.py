"""Fresh processes: what importing takes, and a server until it has answered once."""

import ast
import http.client
from dataclasses import dataclass
from pathlib import Path

from bench.interpreters import printed
from bench.servers import serving

PROGRAMS = Path(__file__).parent / "programs"
#: The clock is the processor's, so that what other programs take does not count.
_TIMED = """\
import sys, time
begin = time.process_time()
{imports}
print(time.process_time() - begin, len(sys.modules))
"""


@dataclass(frozen=True)
class Import:
    """What importing has taken: seconds of the processor; and how many modules there are then."""

    seconds: float
    modules: int


@dataclass(frozen=True)
class Start:
    """A server that has answered once: seconds of the processor since its start, and bytes."""

    seconds: float
    resident: int


def imports(peer: str) -> str:
    """Return the import statements of the smallest program of *peer*."""
    program = ast.parse((PROGRAMS / f"{peer}.py").read_text("utf-8"))
    wanted = [each for each in program.body if isinstance(each, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, wanted))


def import_once(python: Path, peer: str) -> Import:
    """Import in a new process what the smallest program of *peer* needs."""
    program = _TIMED.format(imports=imports(peer))
    seconds, modules = printed(python, "-c", program).split()
    return Import(float(seconds), int(modules))


def start_once(python: Path, peer: str) -> Start:
    """Start a server with the smallest program of *peer*, and ask it once."""
    with serving(python, f"bench.startup.programs.{peer}:app") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read()
        if (answer.status, body) != (200, b"Hello, World!"):
            raise AssertionError(f"{peer} answered {answer.status} {body!r}.")
        seconds = server.precise_cpu
        connection.close()
        return Start(seconds, server.memory)
