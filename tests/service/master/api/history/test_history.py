"""Random writers, watchers and deaths of the master: what clients see is what Kubernetes promises.

No lost update, no gap, no duplicate, nothing out of order. A failure prints its seed, with which `--seed` repeats the
run. `--long` has many runs.
"""

from __future__ import annotations

from collections import Counter
from random import SystemRandom

import pytest

from tests.service.master.api.history.conftest import Runner
from tests.service.master.api.history.judgement import judge
from tests.service.master.api.history.record import UNKNOWN, Stream
from tests.service.master.api.history.world import Outcome

_WRITES, _DEATHS = 1400, 7
_WRITES_IN_THREAD = 100
_RUNS_LONG = 56


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "run" in metafunc.fixturenames:
        many = metafunc.config.getoption("--long") and metafunc.config.getoption("--seed") is None
        metafunc.parametrize("run", range(_RUNS_LONG if many else 1))


@pytest.fixture
def seed(request: pytest.FixtureRequest, run: int) -> int:
    """The seed of the random choices, printed with a failure."""
    given = request.config.getoption("--seed")
    chosen = SystemRandom().randrange(1_000_000) if given is None else int(given)
    print(f"to repeat this run: --seed {chosen}")
    return chosen


def test_clients_see_one_history(simulate: Runner, seed: int) -> None:
    outcome = simulate(seed, writes=_WRITES, deaths=_DEATHS)
    violations = judge(outcome)
    assert not violations, "\n".join(map(str, violations[:20]))
    _check_variety(outcome)


def _check_variety(outcome: Outcome) -> None:
    """The run had all that can go wrong; otherwise it would prove little."""
    record = outcome.record
    assert len(record.deaths) > _DEATHS // 2
    codes = Counter(write.code for write in record.writes)
    assert min(codes[code] for code in (200, 201, 404, 409, UNKNOWN)) > 0, codes
    types = Counter(
        event["type"]
        for journey in record.journeys
        for leg in journey.legs
        if isinstance(leg, Stream)
        for event in leg.events
    )
    assert min(types[type_] for type_ in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")) > 0, types


def test_a_seed_repeats_its_run(simulate: Runner) -> None:
    outcomes = [simulate(7, writes=150) for _ in range(2)]
    first, second = ([(w.verb, w.key, w.code, w.began, w.ended) for w in o.record.writes] for o in outcomes)
    assert first == second
    first_legs, second_legs = ([len(journey.legs) for journey in o.record.journeys] for o in outcomes)
    assert first_legs == second_legs


def test_clients_see_one_history_of_a_store_with_its_own_thread(simulate: Runner) -> None:
    violations = judge(simulate(1, writes=_WRITES_IN_THREAD, deaths=0))
    assert not violations, "\n".join(map(str, violations[:20]))
