"""The ages of moments: by their own time at the first look, and by the monotonic clock from then on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from master.component.moments import MOST, Moments
from tests.fakes.clock import START, FakeClock


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "back"])
async def test_a_clock_that_is_set_changes_no_age_that_is_known(ahead: timedelta) -> None:
    clock = FakeClock()
    moments, before = Moments(clock), START - timedelta(seconds=30)
    assert moments.age_s(before) == 30
    clock.ahead = ahead
    await clock.advance(10)
    assert moments.age_s(before) == 40


async def test_a_moment_in_the_future_is_as_old_as_our_knowledge_of_it() -> None:
    clock = FakeClock()
    moments, later = Moments(clock), START + timedelta(hours=1)
    assert moments.age_s(later) == 0
    await clock.advance(10)
    assert moments.age_s(later) == 10


def test_the_moments_that_were_looked_at_longest_ago_are_forgotten() -> None:
    moments = Moments(FakeClock())
    for number in range(MOST + 5):
        moments.age_s(START - timedelta(seconds=number))
        moments.age_s(START)
    assert len(moments._since) == MOST
    assert START in moments._since
