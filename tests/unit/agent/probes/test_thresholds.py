"""Results of a probe, and the states that they lead to."""

from __future__ import annotations

import pytest

from agent.handlers import Probe, TcpConnect
from agent.probes.thresholds import Tally

CASES = [
    ("one success is enough", "+", 1, 3, "+"),
    ("two failures are not enough", "--", 1, 3, ".."),
    ("three are", "---", 1, 3, "..-"),
    ("a success in between starts the count again", "--+--", 1, 3, "..+.."),
    ("every failure from the third one on decides", "----", 1, 3, "..--"),
    ("three successes in a row", "++-+++", 3, 1, "..-..+"),
    ("the first failure decides", "-", 1, 1, "-"),
]


@pytest.mark.parametrize(
    ("results", "successes", "failures", "states"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_states_by_results(results: str, successes: int, failures: int, states: str) -> None:
    probe = Probe(TcpConnect(1), success_threshold=successes, failure_threshold=failures)
    tally, decided = Tally(), ""
    for result in results:
        tally = tally.after(result == "+")
        decided += {True: "+", False: "-", None: "."}[tally.decision(probe)]
    assert decided == states
