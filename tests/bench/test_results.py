"""What is computed of the figures, and how the tables say it."""

from bench.peers import BY_NAME as PEERS
from bench.report import report
from bench.results import Results
from bench.scenarios import BY_NAME as SCENARIOS

NAMES = ("bare", "erlen", "starlette", "falcon")


def sample(us: float, reference: float = 100.0) -> dict[str, float]:
    return {"us": us + 0.5, "own": 0.5, "reference": reference}


def made(**rows: dict[str, float | None]) -> Results:
    """Return results of one round; a peer without a figure offers nothing."""
    results = Results(
        [PEERS[name] for name in NAMES], {"rounds": 1, "seconds": 1.0, "loop": "asyncio"}
    )
    for row, times in rows.items():
        opened = {
            name: {"built": 1.0, "note": ""} if us else {"lacks": "it has none"}
            for name, us in times.items()
        }
        samples = {name: [sample(us)] for name, us in times.items() if us}
        results.add(SCENARIOS[row.replace("_", "-")], opened, samples)
    return results


def mean(results: Results, peer: str) -> tuple[float, int]:
    ratio, rows = results.mean(peer)
    return round(ratio or 0, 3), rows


PLAIN: dict[str, float | None] = {"bare": 1.0, "erlen": 3.0, "starlette": 9.0, "falcon": 5.0}
READ: dict[str, float | None] = {"bare": 2.0, "erlen": 4.0, "starlette": 8.0, "falcon": None}


def test_the_driver_own_time_is_subtracted() -> None:
    assert made(plaintext=PLAIN).us("plaintext", "erlen") == 3.0


def test_what_is_added_is_compared_with_what_others_add() -> None:
    results = made(plaintext=PLAIN)
    assert results.adds("plaintext", "erlen") == 2.0
    assert results.adds_of("plaintext", "erlen", "starlette") == 0.25


def test_the_fastest_framework_wins_and_bare_asgi_does_not() -> None:
    assert made(plaintext=PLAIN).winner("plaintext") == "erlen"


def test_the_geometric_mean_is_of_the_rows_that_a_peer_has() -> None:
    results = made(plaintext=PLAIN, session_read=READ)
    assert mean(results, "erlen") == (2.449, 2)
    assert mean(results, "falcon") == (5.0, 1)


def test_first_and_missed_routes_do_not_count_in_the_mean() -> None:
    results = made(plaintext=PLAIN, routes_10_miss=PLAIN | {"erlen": 900.0})
    assert mean(results, "erlen") == (3.0, 1)


def test_a_slow_moment_is_corrected_by_the_reference_work() -> None:
    results = Results([PEERS["erlen"]], {"rounds": 3, "seconds": 1.0, "loop": "asyncio"})
    samples = {"erlen": [sample(4.0), sample(4.0), sample(6.0, reference=150.0)]}
    results.add(SCENARIOS["plaintext"], {"erlen": {"built": 1.0, "note": ""}}, samples)
    cell = results.cells["plaintext"]["erlen"]
    assert (cell.low, cell.us, cell.high) == (4.0, 4.0, 4.0)
    assert results.noise() == (0.0, 0.5)
    assert "the machine was not quiet" in report(results)


def test_tables_mark_the_winner_and_say_what_is_missing_and_why() -> None:
    text = report(made(plaintext=PLAIN, session_read=READ))
    assert "| plaintext | 1.00 | **3.00** | 9.00 | 5.00 |" in text
    assert "| session, read | 2.00 | **4.00** | 8.00 | n/a |" in text
    assert "| **geometric mean** | **1.00** | **2.45** | **6.00** | **5.00** |" in text
    assert "| erlen's mean of the same | 2.45 | 2.45 | 2.45 | 3.00 |" in text
    assert "| plaintext, of what Starlette adds | 0.00 | 0.25 | 1.00 | 0.50 |" in text
    assert "- Falcon, session-read: n/a: it has none" in text
