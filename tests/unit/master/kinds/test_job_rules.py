"""The rules of jobs and cron jobs: schedules, indexes, policies, what an update may change, what a status may say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from master.kinds import CRONJOB, JOB, registry
from master.kinds.batch.indexes import overlap, parse_indexes
from master.kinds.batch.jobstatus import check_status
from master.kinds.batch.jobupdates import check_update
from master.kinds.batch.model import Job
from master.kinds.batch.schedule import schedule_problem, time_zone_problem
from master.registry.registry import Registry
from master.schema.checks import Findings
from tests.unit.master.kinds.test_workload_rules import causes, completed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTAINER = {"name": "c", "image": "i"}


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [CONTAINER], "restartPolicy": "Never", **spec}}


def job(**spec: Any) -> dict[str, Any]:
    """A job whose selector is made by hand: the other kind needs a uid."""
    template = {"metadata": {"labels": {"a": "b"}}, **spec.pop("template", pod())}
    selector = {"matchLabels": {"a": "b"}}
    return {
        "metadata": {"name": "j"},
        "spec": {"manualSelector": True, "selector": selector, "template": template, **spec},
    }


def indexed(**spec: Any) -> dict[str, Any]:
    return job(**{"completionMode": "Indexed", "completions": 5, "parallelism": 5, **spec})


# -- schedules -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("* * * * *", "*/5 * * * *", "0 0 1 1 0", "59 23 31 12 6", "1,2,5-9 0-23/2 ? jan-MAR mon,Fri"),
        *("5/15 * * * *", "  0  0 * * * ", "@daily", "@every 1h30m", "@every 1.5s", "0,, * * * *"),
    ],
)
def test_schedules(text: str) -> None:
    assert schedule_problem(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *"),
        *("* * * * 7", "5-1 * * * *", "*/0 * * * *", "1-2-3 * * * *", "1/2/3 * * * *", "-1 * * * *", "a * * * *"),
        *("@often", "@every", "@every 5", "@every x", "TZ=UTC", "TZ=No/Where * * * * *", "1.5 * * * *"),
        *("* * L * *", "* * * * mon#1", "\u0663 * * * *", "9" * 5000 + " * * * *"),
    ],
)
def test_texts_that_are_not_schedules(text: str) -> None:
    assert schedule_problem(text)


@pytest.mark.parametrize(
    ("name", "valid"),
    [("UTC", True), ("Europe/Berlin", True), ("America/Argentina/Buenos_Aires", True), ("Etc/GMT+5", True)]
    + [(name, False) for name in ("", "Local", "local", "Europe", "../etc/passwd", "/UTC", "No/Where", "a\0", "A B")],
)
def test_time_zones(name: str, valid: bool) -> None:
    assert (time_zone_problem(name) == "") is valid


def cron_job(name: str = "c", **spec: Any) -> dict[str, Any]:
    template = {"spec": {"template": pod()}}
    return {"metadata": {"name": name}, "spec": {"schedule": "* * * * *", "jobTemplate": template, **spec}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(cron_job(), set(), id="right"),
        pytest.param(cron_job(schedule=""), {("Required", "spec.schedule")}, id="no schedule"),
        pytest.param(cron_job(schedule="TZ=UTC * * * * *"), {("Invalid", "spec.schedule")}, id="a zone in it"),
        pytest.param(cron_job(timeZone="No/Where"), {("Invalid", "spec.timeZone")}, id="an unknown zone"),
        pytest.param(cron_job(concurrencyPolicy="Maybe"), {("NotSupported", "spec.concurrencyPolicy")}, id="a policy"),
        pytest.param(cron_job("c" * 53), {("Invalid", "metadata.name")}, id="a long name"),
        pytest.param(
            cron_job(jobTemplate={"spec": {"template": pod(), "selector": {}, "manualSelector": True}}),
            {
                ("Invalid", "spec.jobTemplate.spec.selector"),
                ("NotSupported", "spec.jobTemplate.spec.manualSelector"),
            },
            id="a selector",
        ),
        pytest.param(
            cron_job(jobTemplate={"spec": {"template": pod(restartPolicy="Always")}}),
            {("Required", "spec.jobTemplate.spec.template.spec.restartPolicy")},
            id="pods that do not end",
        ),
    ],
)
def test_cron_jobs(value: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert causes(CRONJOB, value) == expected


def test_a_schedule_with_a_zone_stays_and_a_long_name_too() -> None:
    old = cron_job("c" * 53, schedule="TZ=UTC * * * * *")
    assert causes(CRONJOB, {**old, "spec": {**old["spec"], "suspend": True}}, old) == set()
    both = {**old, "spec": {**old["spec"], "timeZone": "UTC"}}
    assert causes(CRONJOB, both, old) == {("Invalid", "spec.schedule")}


def test_an_old_version_of_cron_jobs_is_served_and_not_listed() -> None:
    plain: Registry = registry()
    assert plain.find("batch", "v1beta1", "cronjobs") is not None
    assert "v1beta1" not in plain.group_versions()["batch"]


# -- indexes -------------------------------------------------------------------------------------------------------


def test_lists_of_indexes() -> None:
    assert parse_indexes("", 5) == []
    assert parse_indexes("0,2-4", 5) == [range(1), range(2, 5)]
    for text in ("5", "1,1", "2-2", "3-1", "1-2-3", "x", "1,", "4-9", "-1", "2,1"):
        with pytest.raises(ValueError, match=r"index|order|fragment"):
            parse_indexes(text, 5)
    assert overlap(parse_indexes("0,2-4", 9), parse_indexes("1,4-5", 9))
    assert not overlap(parse_indexes("0,2-4", 9), parse_indexes("1,5", 9))


# -- new jobs ------------------------------------------------------------------------------------------------------

POLICY = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}


def exit_codes(**values: Any) -> dict[str, Any]:
    codes = {"operator": "In", "values": [1, 2], **values}
    return {"podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": codes}]}}


AT = "spec.podFailurePolicy.rules[0]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(job(), set(), id="right"),
        pytest.param(job(template=pod(restartPolicy="Always")), {("Required", "spec.template.spec.restartPolicy")}),
        pytest.param(job(completionMode="Indexed"), set(), id="one completion is the default"),
        pytest.param(job(completionMode="Indexed", parallelism=2), {("Required", "spec.completions")}),
        pytest.param(job(completionMode="Both"), {("NotSupported", "spec.completionMode")}),
        pytest.param(job(backoffLimitPerIndex=1), {("Invalid", "spec.backoffLimitPerIndex")}),
        pytest.param(
            job(maxFailedIndexes=1), {("Required", "spec.backoffLimitPerIndex"), ("Invalid", "spec.maxFailedIndexes")}
        ),
        pytest.param(indexed(backoffLimitPerIndex=1, maxFailedIndexes=6), {("Invalid", "spec.maxFailedIndexes")}),
        pytest.param(indexed(parallelism=100_001), {("Invalid", "spec.parallelism")}),
        pytest.param(
            indexed(completions=100_001, backoffLimitPerIndex=1, parallelism=10_001),
            {("Required", "spec.maxFailedIndexes"), ("Invalid", "spec.parallelism")},
        ),
        pytest.param(job(managedBy="example.com/controller"), set()),
        pytest.param(job(managedBy="controller"), {("Invalid", "spec.managedBy")}),
        pytest.param(job(managedBy=f"example.com/{'x' * 60}"), {("TooLong", "spec.managedBy")}),
        pytest.param(job(podFailurePolicy=POLICY), set()),
        pytest.param(
            job(podFailurePolicy=POLICY, template=pod(restartPolicy="OnFailure")),
            {("Invalid", "spec.template.spec.restartPolicy")},
        ),
        pytest.param(
            job(podFailurePolicy=POLICY, podReplacementPolicy="TerminatingOrFailed"),
            {("NotSupported", "spec.podReplacementPolicy")},
        ),
        pytest.param(job(podReplacementPolicy="Never"), {("NotSupported", "spec.podReplacementPolicy")}),
        pytest.param(job(**exit_codes()), set()),
        pytest.param(job(**exit_codes(values=[0, 2])), {("Invalid", f"{AT}.onExitCodes.values[0]")}),
        pytest.param(job(**exit_codes(operator="NotIn", values=[0])), set()),
        pytest.param(job(**exit_codes(values=[2, 1])), {("Invalid", f"{AT}.onExitCodes.values")}),
        pytest.param(job(**exit_codes(values=[1, 1])), {("Duplicate", f"{AT}.onExitCodes.values[1]")}),
        pytest.param(job(**exit_codes(values=[])), {("Invalid", f"{AT}.onExitCodes.values")}),
        pytest.param(
            job(**exit_codes(values=list(range(1, 300)))), {("TooMany", f"{AT}.onExitCodes.values")}, id="many codes"
        ),
        pytest.param(job(**exit_codes(containerName="d")), {("Invalid", f"{AT}.onExitCodes.containerName")}),
        pytest.param(job(podFailurePolicy={"rules": [{"action": "Count"}]}), {("Invalid", AT)}),
        pytest.param(
            job(podFailurePolicy={"rules": [{**POLICY["rules"][0], "action": "FailIndex"}]}),
            {("Invalid", f"{AT}.action")},
        ),
        pytest.param(
            job(podFailurePolicy={"rules": POLICY["rules"] * 21}), {("TooMany", "spec.podFailurePolicy.rules")}
        ),
        pytest.param(job(successPolicy={"rules": [{"succeededCount": 1}]}), {("Invalid", "spec.successPolicy")}),
        pytest.param(indexed(successPolicy={"rules": [{"succeededIndexes": "0,2-4", "succeededCount": 4}]}), set()),
        pytest.param(indexed(successPolicy={}), {("Required", "spec.successPolicy.rules")}),
        pytest.param(indexed(successPolicy={"rules": [{}]}), {("Required", "spec.successPolicy.rules[0]")}),
        pytest.param(
            indexed(successPolicy={"rules": [{"succeededIndexes": "9", "succeededCount": 0}]}),
            {("Invalid", "spec.successPolicy.rules[0].succeededIndexes")},
        ),
        pytest.param(
            indexed(successPolicy={"rules": [{"succeededIndexes": "0-1", "succeededCount": 3}]}),
            {("Invalid", "spec.successPolicy.rules[0].succeededCount")},
        ),
    ],
)
def test_new_jobs(value: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert causes(JOB, value) == expected


def generated(name: str, labels: dict[str, str], **spec: Any) -> set[tuple[str, str]]:
    """The findings about a job whose selector the server makes."""
    value = {
        "metadata": {"name": name, "uid": "1234"},
        "spec": {"template": {"metadata": {"labels": labels}, **pod()}, **spec},
    }
    strategy = JOB.strategy
    obj = strategy.default(strategy.for_create(JOB.schema.read(value, []), NOW))
    findings = Findings()
    strategy.check(obj, None, findings, None)  # type: ignore[arg-type]
    return {(cause.reason.removeprefix("FieldValue"), cause.field) for cause in findings.causes}


def test_the_server_makes_the_selector_of_a_job() -> None:
    assert generated("j", {"team": "a"}) == set()
    wrong = ("Invalid", "spec.template.metadata.labels[controller-uid]")
    assert generated("j", {"controller-uid": "5678"}) == {wrong}
    assert generated("j", {}, selector={"matchLabels": {"batch.kubernetes.io/controller-uid": "5"}}) == {
        ("Invalid", "spec.selector"),
        ("Invalid", "spec.template.metadata.labels"),
    }


def test_the_host_names_of_indexed_pods_must_be_valid() -> None:
    assert generated("j" * 61, {}, completionMode="Indexed", completions=10) == set()
    assert generated("j" * 61, {}, completionMode="Indexed", completions=11) == {("Invalid", "metadata.name")}


# -- updates -------------------------------------------------------------------------------------------------------

SELECTOR = pod(nodeSelector={"disk": "ssd"})
RESOURCES = pod(containers=[{**CONTAINER, "resources": {"requests": {"cpu": "1"}}}])
STARTED = {"startTime": "2026-01-01T00:00:00Z"}
SUSPENDED = {**STARTED, "conditions": [{"type": "Suspended", "status": "True"}]}


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        pytest.param(job(), job(parallelism=3, completions=1, backoffLimit=9), [], id="numbers"),
        pytest.param(job(parallelism=1), job(parallelism=1, completions=4), ["completions"], id="completions"),
        pytest.param(indexed(), indexed(completions=3, parallelism=3), [], id="an elastic job"),
        pytest.param(indexed(), indexed(completions=3), ["completions"], id="but only in tandem"),
        pytest.param(job(), job(podFailurePolicy=POLICY), ["podFailurePolicy"], id="a policy"),
        pytest.param(job(), job(managedBy="a.b/c"), ["managedBy"], id="the manager"),
        pytest.param(job(), job(template=SELECTOR), ["template"], id="the template"),
        pytest.param(job(suspend=True), job(template=SELECTOR), [], id="nodes, while it is suspended"),
        pytest.param(job(suspend=True), job(template=RESOURCES), [], id="resources, while it is suspended"),
        pytest.param(
            job(suspend=True), job(template=pod(hostname="x")), ["template.spec"], id="nothing else of its pods"
        ),
        pytest.param({**job(suspend=True), "status": STARTED}, job(template=SELECTOR), ["template"], id="it has begun"),
        pytest.param({**job(suspend=True), "status": SUSPENDED}, job(template=SELECTOR), [], id="it has stopped again"),
    ],
)
def test_what_an_update_of_a_job_may_change(old: dict[str, Any], new: dict[str, Any], fields: list[str]) -> None:
    findings = Findings()
    check_update(completed(JOB, new), completed(JOB, old), findings)
    assert [cause.field for cause in findings.causes] == [f"spec.{field}" for field in fields]


# -- the status ----------------------------------------------------------------------------------------------------


def true(*types: str) -> list[dict[str, str]]:
    return [{"type": type_, "status": "True"} for type_ in types]


DONE = {
    "startTime": "2026-01-01T00:00:00Z",
    "completionTime": "2026-01-01T00:01:00Z",
    "conditions": true("SuccessCriteriaMet", "Complete"),
    "succeeded": 1,
}


def with_status(status: dict[str, Any], spec: dict[str, Any] | None = None) -> Job:
    made: Job = completed(JOB, {**(spec or job()), "status": status})
    return made


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        pytest.param({}, {"active": 1, "ready": 1, **STARTED}, [], id="it runs"),
        pytest.param({}, DONE, [], id="it is complete"),
        pytest.param(
            DONE, {**DONE, "conditions": []}, ["completionTime", "conditions", "conditions"], id="not any more"
        ),
        pytest.param({}, {**DONE, "active": 1}, ["active"], id="complete with active pods"),
        pytest.param({}, {**DONE, "startTime": None}, ["startTime"], id="complete without a start"),
        pytest.param({}, {**DONE, "completionTime": None}, ["completionTime"], id="complete without an end"),
        pytest.param({}, {**DONE, "completionTime": "2025-01-01T00:00:00Z"}, ["completionTime"], id="end before start"),
        pytest.param({}, {**DONE, "conditions": true("Complete")}, ["conditions"], id="complete without the criteria"),
        pytest.param({}, {**STARTED, "conditions": true("Failed")}, ["conditions"], id="failed without the target"),
        pytest.param({}, {**STARTED, "conditions": true("FailureTarget", "Failed")}, [], id="failed"),
        pytest.param({"succeeded": 3}, {"succeeded": 2}, ["succeeded"], id="fewer successes"),
        pytest.param({"failed": 3}, {"failed": 2}, ["failed"], id="fewer failures"),
        pytest.param({}, {"ready": 2, "active": 1}, ["ready"], id="more ready than active"),
        pytest.param({}, {"completedIndexes": "0"}, ["completedIndexes"], id="indexes of a job without"),
        pytest.param(STARTED, {"startTime": "2026-01-02T00:00:00Z"}, ["startTime"], id="another start"),
        pytest.param(
            {},
            {"uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["a"]}},
            ["uncountedTerminatedPods.failed[0]"],
        ),
    ],
)
def test_what_a_status_may_say(old: dict[str, Any], new: dict[str, Any], fields: list[str]) -> None:
    findings = Findings()
    check_status(with_status(new), with_status(old), findings)
    assert [cause.field for cause in findings.causes] == [f"status.{field}" for field in fields]


def test_the_indexes_of_a_status() -> None:
    spec = indexed(backoffLimitPerIndex=1)
    for status, fields in (
        ({"completedIndexes": "0,2-4", "failedIndexes": "1"}, []),
        ({"completedIndexes": "9"}, ["completedIndexes"]),
        ({"completedIndexes": "0-2", "failedIndexes": "2"}, ["failedIndexes"]),
    ):
        findings = Findings()
        check_status(with_status(status, spec), with_status({}, spec), findings)
        assert [cause.field for cause in findings.causes] == [f"status.{field}" for field in fields]


# -- the table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "cells"),
    [
        ({}, ["Running", "0/1", ""]),
        (STARTED, ["Running", "0/1", "90s"]),
        (DONE, ["Complete", "1/1", "60s"]),
        (SUSPENDED, ["Suspended", "0/1", "90s"]),
        ({**STARTED, "conditions": true("FailureTarget")}, ["FailureTarget", "0/1", "90s"]),
    ],
)
def test_the_row_of_a_job(status: dict[str, Any], cells: list[str]) -> None:
    row = JOB.table.cells(with_status(status), datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC))
    assert list(row[1:4]) == cells
