"""Every scenario of the sweep."""

from tests.sweep.scenario import Scenario
from tests.sweep.scenarios.answers import answers
from tests.sweep.scenarios.beside import beside
from tests.sweep.scenarios.bodies import bodies
from tests.sweep.scenarios.files import files
from tests.sweep.scenarios.lifespans import lifespans
from tests.sweep.scenarios.plain import plain
from tests.sweep.scenarios.sessions import sessions
from tests.sweep.scenarios.sockets import sockets
from tests.sweep.scenarios.streams import streams

SCENARIOS: list[Scenario] = [
    *answers.members,
    *bodies.members,
    *files.members,
    *streams.members,
    *sessions.members,
    *plain.members,
    *beside.members,
    *sockets.members,
    *lifespans.members,
]
