"""What wrk is told, and what it prints."""

import pytest

from bench.scenarios import Ask
from bench.wrk import BadRun, parsed, script

PRINTED = """\
Running 2s test @ http://127.0.0.1:8000
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.13ms  310.40us  12.50ms   93.20%
    Req/Sec    28.43k     1.20k   30.10k    85.00%
  Latency Distribution
     50%    1.10ms
     75%    1.20ms
     90%  950.00us
     99%    2.05s
  56866 requests in 2.01s, 7.97MB read
Requests/sec:  28291.54
Transfer/sec:      3.97MB
"""


def test_figures_are_read_with_their_units() -> None:
    load = parsed(PRINTED)
    assert (load.requests, load.seconds) == (56866, 2.01)
    assert [load.p50, load.p99] == pytest.approx([1100, 2_050_000])


@pytest.mark.parametrize(
    "fault",
    [
        "  Socket errors: connect 0, read 3, write 0, timeout 0",
        "  Non-2xx or 3xx responses: 12",
    ],
)
def test_a_run_with_faults_gives_no_figures(fault: str) -> None:
    with pytest.raises(BadRun, match=fault.strip()):
        parsed(PRINTED + fault + "\n")


def test_what_is_no_report_is_shown() -> None:
    with pytest.raises(BadRun, match="unable to connect"):
        parsed("unable to connect to 127.0.0.1:8000 Connection refused\n")


def test_the_script_sends_all_requests_in_turn() -> None:
    asks = [Ask("/a", query=b"q=1"), Ask("/b", fields=((b"cookie", b'theme="dark"'),))]
    program = script(asks)
    assert 'asks[1] = wrk.format("GET", "/a?q=1", {' in program
    assert '["cookie"] = "theme=\\"dark\\"", ' in program
    assert "number = number % 2 + 1" in program
