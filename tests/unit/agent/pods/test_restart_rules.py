"""Restart rules: exit codes that restart a container, or all containers of the pod, whatever the policy says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.handlers import Checks, RunCommand
from agent.model import Container, Pod, PodPhase, RestartPolicy, RestartRule
from agent.statuses import Running, Terminated, Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod


def rule(*codes: int, action: str = RestartRule.RESTART, operator: str = "In") -> RestartRule:
    return RestartRule(action, operator, frozenset(codes))


ALL = rule(42, action=RestartRule.RESTART_ALL)


def app(*rules: RestartRule, policy: RestartPolicy = RestartPolicy.NEVER, name: str = "app") -> Container:
    return Container(name, IMAGE, restart_policy=policy, restart_rules=rules)


def names(bed: Bed) -> list[str]:
    """The running containers, without the sandbox."""
    running = [record.name.split("_", 2)[2] for record in bed.engine.named("") if record.running]
    return [name for name in running if not name.startswith("POD")]


def condition(bed: Bed, type_: str) -> tuple[str, str]:
    (found,) = [each for each in bed.reporter.statuses[UID].conditions if each.type == type_]
    return found.status, found.reason


@pytest.mark.parametrize(
    ("rules", "policy", "exit_code", "restarts"),
    [
        pytest.param((rule(3),), RestartPolicy.NEVER, 3, True, id="in"),
        pytest.param((rule(3),), RestartPolicy.NEVER, 4, False, id="not in the list: the policy"),
        pytest.param((rule(3),), RestartPolicy.ON_FAILURE, 4, True, id="not in the list: another policy"),
        pytest.param((rule(3, operator="NotIn"),), RestartPolicy.NEVER, 4, True, id="not in"),
        pytest.param((rule(3, operator="NotIn"),), RestartPolicy.NEVER, 3, False, id="excepted"),
        pytest.param((rule(1), rule(0)), RestartPolicy.ON_FAILURE, 0, True, id="a success by the second rule"),
        pytest.param((), RestartPolicy.NEVER, 3, False, id="no rules"),
    ],
)
async def test_the_first_rule_that_matches_counts_more_than_the_policy(
    bed: Bed, rules: tuple[RestartRule, ...], policy: RestartPolicy, exit_code: int, *, restarts: bool
) -> None:
    web = pod(containers=(app(*rules, policy=policy), Container("other", IMAGE)))
    async with bed.running(web):
        bed.engine.end("sampan_u1_app_0", exit_code)
        await settle()
        assert names(bed) == (["app_1", "other_0"] if restarts else ["other_0"])
        assert isinstance(bed.state(), Running if restarts else Terminated)


async def test_a_restart_by_a_rule_backs_off_too(bed: Bed) -> None:
    async with bed.running(pod(containers=(app(rule(3)),))):
        for attempt in (0, 1):
            bed.engine.end(f"sampan_u1_app_{attempt}", 3)
            await settle()
        text = "back-off 10s restarting failed container=app pod=web_default(u1)"
        assert bed.state() == Waiting("CrashLoopBackOff", text)
        assert bed.reporter.statuses[UID].phase is PodPhase.RUNNING


def whole(**changes: object) -> Pod:
    """A pod with all roles. The sidecar `watch` restarts it; `done` runs to its end."""
    hooks = Checks(pre_stop=RunCommand(("bye",)))
    watch = app(ALL, policy=RestartPolicy.ALWAYS, name="watch")
    web = pod(
        init_containers=(Container("init", IMAGE), watch),
        containers=(Container("app", IMAGE, checks=hooks), app(name="done")),
        restart_policy=RestartPolicy.NEVER,
        grace_period_s=30,
    )
    return replace(web, **changes)  # type: ignore[arg-type]


async def test_all_containers_are_restarted_in_their_order_in_the_same_sandbox(bed: Bed) -> None:
    bed.engine.ignores_term.add("sampan_u1_app")
    async with bed.running(whole()):
        bed.engine.end("sampan_u1_init_0", 0)
        await settle()
        bed.engine.end("sampan_u1_done_0", 0)
        await settle()
        assert names(bed) == ["app_0", "watch_0"]
        assert condition(bed, "AllContainersRestarting") == ("False", "")
        address = bed.reporter.statuses[UID].pod_ip
        bed.engine.end("sampan_u1_watch_0", 42)
        await settle()
        assert names(bed) == ["init_1"]
        assert condition(bed, "Initialized")[0] == "False" and not bed.ready()
        bed.engine.end("sampan_u1_init_1", 0)
        await settle()
        assert names(bed) == ["app_1", "done_1", "watch_1"]
        status = bed.reporter.statuses[UID]
        assert (status.pod_ip, status.phase) == (address, PodPhase.RUNNING)
        assert [each.restart_count for each in status.all_containers] == [1, 1, 1, 1]
        assert [record.name for record in bed.engine.named("POD")] == ["sampan_u1_POD_0"]
        started = ("True", "RestartAllContainersStarted")
        shown = [each for status in bed.reporter.history for each in status.conditions if each.type.startswith("All")]
        assert started in [(each.status, each.reason) for each in shown]
        assert condition(bed, "AllContainersRestarting") == ("False", "")
        # Fast: without grace period and hooks.
        assert "FailedPreStopHook" not in bed.reporter.reasons() and bed.prober.hooks == []
        assert all(phase is not PodPhase.FAILED for phase in (status.phase for status in bed.reporter.history))


async def test_the_container_that_restarts_all_again_and_again_backs_off(bed: Bed) -> None:
    web = pod(containers=(app(ALL), Container("other", IMAGE)))
    async with bed.running(web):
        for attempt in (0, 1):
            bed.engine.end(f"sampan_u1_app_{attempt}", 42)
            await settle()
        assert names(bed) == []
        assert condition(bed, "AllContainersRestarting")[0] == "True"
        await bed.clock.advance(11)
        assert names(bed) == ["app_2", "other_2"]
        assert bed.ready()


async def test_a_later_agent_goes_on_with_the_restart(bed: Bed) -> None:
    web = pod(containers=(app(ALL), app(name="done"), Container("other", IMAGE)), restart_policy=RestartPolicy.NEVER)
    async with bed.running(web):
        bed.engine.end("sampan_u1_done_0", 0)
        for attempt in (0, 1):
            bed.engine.end(f"sampan_u1_app_{attempt}", 42)
            await settle()
        assert names(bed) == []
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await bed.clock.advance(11)
        assert names(bed) == ["app_2", "done_2", "other_2"]


async def test_a_node_that_does_not_know_a_rule_refuses_the_pod(bed: Bed) -> None:
    web = pod(containers=(app(rule(1, action="Sing")),))
    async with bed.running(web):
        status = bed.reporter.statuses[UID]
        assert (status.phase, status.reason) == (PodPhase.FAILED, "SettingNotSupported")
        assert "Sing" in status.message


@pytest.mark.parametrize(("longest_s", "delays"), [(300.0, [10, 20, 40]), (15.0, [10, 15, 15]), (2.0, [2, 2, 2])])
async def test_the_node_bounds_the_back_off(bed: Bed, longest_s: float, delays: list[int]) -> None:
    bed.config = replace(bed.config, longest_container_backoff_s=longest_s)
    async with bed.running(pod()):
        bed.engine.end("sampan_u1_app_0", 1)
        await settle()
        shown = []
        for attempt in (1, 2, 3):
            bed.engine.end(f"sampan_u1_app_{attempt}", 1)
            await settle()
            state = bed.state()
            assert isinstance(state, Waiting)
            shown.append(state.message.split()[1])
            await bed.clock.advance(delays[attempt - 1])
        assert shown == [f"{delay}s" for delay in delays]
