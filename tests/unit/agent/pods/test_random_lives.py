"""Random lives of pods: whatever happens to containers, sandbox, engine and agent, the pod gets where it has to be."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from agent.handlers import Checks, Probe, TcpConnect
from agent.model import Container, Pod, PodPhase, RestartPolicy, RestartRule
from agent.probes.interface import failure
from tests.unit.agent.fakes import FakeProber, settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, make_bed, pod

pytestmark = pytest.mark.usefixtures("one_file_thread")

SEEDS = range(40)
STEPS = 12
ALIVE, STARTED, READY, HOOK = (TcpConnect(port) for port in range(1, 5))
CHECKS = (
    Checks(),
    Checks(liveness=Probe(ALIVE, failure_threshold=1, period_s=20), post_start=HOOK),
    Checks(startup=Probe(STARTED, period_s=20), readiness=Probe(READY, period_s=20), pre_stop=HOOK),
    Checks(liveness=Probe(ALIVE, period_s=40), startup=Probe(STARTED, period_s=20), pre_stop=HOOK, post_start=HOOK),
)
RULES = (
    (),
    (),
    (RestartRule(RestartRule.RESTART, "In", frozenset({2})),),
    (RestartRule(RestartRule.RESTART_ALL, "NotIn", frozenset({0, 1})),),
)
ENDED = (PodPhase.SUCCEEDED, PodPhase.FAILED)


def random_pod(random: Random) -> Pod:
    """A pod with containers, sidecars and init containers of all policies."""

    def container(name: str, *policies: RestartPolicy | None) -> Container:
        policy = random.choice(policies)
        # As in the API, init containers that run to their end have neither probes nor hooks.
        checks = Checks() if name.startswith("i") and policy is None else random.choice(CHECKS)
        rules = random.choice(RULES) if policy is not None else ()
        return Container(name, IMAGE, restart_policy=policy, checks=checks, restart_rules=rules)

    inits = tuple(container(f"i{number}", None, RestartPolicy.ALWAYS) for number in range(random.randint(0, 3)))
    apps = tuple(container(f"a{number}", None, None, *RestartPolicy) for number in range(random.randint(1, 2)))
    return pod(
        init_containers=inits,
        containers=apps,
        restart_policy=random.choice(list(RestartPolicy)),
        grace_period_s=random.choice((0, 5)),
        active_deadline_s=random.choice((0, 0, 50)),
        ephemeral_containers=(Container("e", IMAGE),) if random.random() < 0.3 else (),
    )


def happen(bed: Bed, random: Random, web: Pod) -> Pod:
    """One misfortune. Returns the pod as it is desired from now on."""
    running = [record for record in bed.engine.named("") if record.running]
    match random.choice(("checks", "checks", "end", "end", "end", "sandbox", "stream", "edit", "nothing")):
        case "checks":
            failing = {handler for handler in (ALIVE, STARTED, READY, HOOK) if random.random() < 0.3}
            bed.prober.results = dict.fromkeys(failing - {HOOK}, failure("refused"))
            bed.prober.problems = dict.fromkeys(failing & {HOOK}, "refused")
            bed.prober.held = {HOOK: asyncio.Event()} if random.random() < 0.2 else {}
        case "end" if running:
            bed.engine.end(random.choice(running).id, random.choice((0, 0, 1, 2)))
        case "sandbox":
            for record in running:
                if "_POD_" in record.name:
                    bed.engine.end(record.id, 137)
        case "stream":
            bed.engine.drop_streams()
        case "edit":
            first, *others = web.containers
            image = random.choice((IMAGE, "web:2"))
            return replace(web, containers=(replace(first, image=image), *others))
        case _:
            pass
    return web


def check(bed: Bed) -> None:
    """What holds at any time: no container runs twice, none of a pod that has ended, no ephemeral one again."""
    running = [record.name.rsplit("_", 1)[0] for record in bed.engine.named("") if record.running]
    assert len(running) == len(set(running)), running
    assert [call for call in bed.engine.calls if call == ("start", "sampan_u1_e_1")] == []
    status = bed.reporter.statuses.get(UID)
    assert status is None or status.phase not in ENDED or set(running) <= {"sampan_u1_POD"}, running


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_random_life(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    bed = make_bed(tmp_path)
    bed.engine.present["web:2"] = "sha256:newer"
    web = random_pod(random)
    bed.engine.ignores_term |= {f"sampan_u1_{each.name}" for each in web.containers if random.random() < 0.2}
    for _ in range(random.randint(1, 3)):
        # Each turn is the life of one agent.
        async with bed.manager() as manager:
            await manager.apply(desired(web), complete=random.random() < 0.5)
            for _ in range(STEPS):
                await settle()
                check(bed)
                web = happen(bed, random, web)
                await manager.apply(desired(web), complete=True)
                await bed.clock.advance(random.choice((0.1, 3, 20)))
    bed.prober = FakeProber()
    phases = [status.phase for status in bed.reporter.history]
    first_end = next((number for number, phase in enumerate(phases) if phase in ENDED), len(phases))
    assert len(set(phases[first_end:])) <= 1, "a pod that has ended changes its phase"
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        # All init containers succeed, and nothing else happens for longer than any back-off.
        for _ in range(8):
            await bed.clock.advance(400)
            for each in web.init_containers:
                for record in bed.engine.named(f"_{each.name}_"):
                    if each.restart_policy is None and record.running:
                        bed.engine.end(record.id, 0)
            await settle()
        check(bed)
        running = [record for record in bed.engine.named("") if record.running]
        ended = bed.reporter.statuses[UID].phase in ENDED
        assert ended == (not running), (bed.reporter.statuses[UID].phase, running)
        if not ended:
            assert any(record.running for each in web.containers for record in bed.engine.named(f"_{each.name}_"))
        await manager.apply(desired(replace(web, deletion_at=1.0)), complete=True)
        await bed.clock.advance(60)
        assert not bed.engine.records and bed.reporter.gone == [UID]
