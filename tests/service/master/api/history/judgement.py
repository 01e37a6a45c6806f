"""The judgement of a run: whether what the clients saw is what Kubernetes promises."""

from __future__ import annotations

from tests.service.master.api.history.commits import judge_commits
from tests.service.master.api.history.log import Log
from tests.service.master.api.history.reads import judge_read, judge_sight
from tests.service.master.api.history.record import Read
from tests.service.master.api.history.streams import judge_journey
from tests.service.master.api.history.verdict import Findings, Violation
from tests.service.master.api.history.world import Outcome
from tests.service.master.api.history.writes import WritesJudge


def judge(outcome: Outcome) -> list[Violation]:
    """All violations of a run."""
    findings, record = Findings(), outcome.record
    log = Log(outcome.commits)
    judge_commits(log, outcome.keys, outcome.revision, findings)
    WritesJudge(log, record.writes, findings).judge()
    for read in record.reads:
        judge_read(log, read, findings)
    for sight in record.sights:
        judge_sight(log, sight, findings)
    for journey in record.journeys:
        for leg in journey.legs:
            if isinstance(leg, Read):
                judge_read(log, leg, findings)
        judge_journey(log, journey, findings)
    return findings.violations
