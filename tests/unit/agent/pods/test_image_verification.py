"""An image of a private registry on the node: other pods need credentials for it too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model import ConfigMap, Container, EnvVar, KeyRef, ObjectRef, Pod, PodUid, PullPolicy, Secret
from agent.pods.interface import ImageVerification
from agent.pods.reports import PROGRESS_S
from agent.runtime.errors import PullGivenUp
from agent.statuses import Running, Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE as PRELOADED
from tests.unit.agent.pods.bed import UID, Bed, desired, pod
from tests.unit.agent.pods.test_pull_secrets import IMAGE, lock, private, secret

KEY = secret("a", "me", "right")
LATE = {ref: ConfigMap(ref, {"key": b"value"}) for ref in (ObjectRef("default", "late"),)}
NEVER, IF_NOT_PRESENT = PullPolicy.NEVER, PullPolicy.IF_NOT_PRESENT


def other(image: str = IMAGE, policy: PullPolicy = IF_NOT_PRESENT, *names: str) -> Pod:
    """A pod of somebody else."""
    container = Container("app", image, pull_policy=policy)
    return replace(pod(containers=(container,), pull_secrets=names), uid=PodUid("u2"), name="other")


def state(bed: Bed) -> object:
    return bed.reporter.statuses[PodUid("u2")].containers[0].state


async def both(bed: Bed, second: Pod, secrets: dict[ObjectRef, Secret] | None = None) -> object:
    """The state of the second pod, after the first one has pulled the image with its secret."""
    lock(bed)
    secrets = KEY | (secrets or {})
    async with bed.running(private("a"), secrets=secrets) as manager:
        assert isinstance(bed.state(), Running)
        await manager.apply(desired(private("a"), second, secrets=secrets), complete=True)
        await settle()
        return state(bed)


async def test_a_pod_without_the_secret_has_to_pull_the_image_itself(bed: Bed) -> None:
    assert await both(bed, other()) == Waiting("ErrImagePull", "unauthorized")
    assert bed.engine.tried[-1] is None


async def test_a_pod_that_may_not_pull_it_does_not_learn_that_it_is_there(bed: Bed) -> None:
    text = f'Container image "{IMAGE}" is not present with pull policy of Never'
    assert await both(bed, other(IMAGE, NEVER)) == Waiting("ErrImageNeverPull", text)


@pytest.mark.parametrize("policy", [IF_NOT_PRESENT, NEVER])
async def test_a_pod_with_the_secret_uses_the_image(bed: Bed, policy: PullPolicy) -> None:
    assert isinstance(await both(bed, other(IMAGE, policy, "a")), Running)
    assert len(bed.engine.tried) == 1


async def test_other_credentials_are_tried(bed: Bed) -> None:
    wrong = secret("b", "me", "wrong")
    assert await both(bed, other(IMAGE, IF_NOT_PRESENT, "b"), wrong) == Waiting("ErrImagePull", "unauthorized")
    tried = bed.engine.tried[-1]
    assert tried is not None and tried.source == 'secret "default/b"'


async def test_another_name_of_the_image_opens_it_to_nobody(bed: Bed) -> None:
    bed.engine.present["public:1"] = "sha256:app"
    state = await both(bed, other("public:1"))
    assert isinstance(state, Waiting) and state.reason == "ErrImagePull"


async def test_an_image_that_was_pulled_without_credentials_is_for_everyone(bed: Bed) -> None:
    bed.engine.registry[IMAGE] = "sha256:app"
    async with bed.running(pod(containers=(Container("app", IMAGE),)), other(IMAGE, NEVER)):
        await bed.clock.advance(15)
        assert isinstance(state(bed), Running) and isinstance(bed.state(), Running)


async def test_preloaded_images_are_for_everyone(bed: Bed) -> None:
    async with bed.running(other(PRELOADED, NEVER)):
        assert isinstance(state(bed), Running) and not (bed.config.state_dir / "images").exists()


async def test_the_policy_of_the_node_can_demand_credentials_for_all_images(bed: Bed) -> None:
    bed.config = replace(bed.config, image_verification=ImageVerification("AlwaysVerify"))
    async with bed.running(other(PRELOADED, NEVER)):
        assert isinstance(state(bed), Waiting)


async def test_the_policy_of_the_node_can_trust_everyone(bed: Bed) -> None:
    bed.config = replace(bed.config, image_verification=ImageVerification("NeverVerify"))
    assert isinstance(await both(bed, other(IMAGE, NEVER)), Running)


async def test_after_a_restart_the_image_is_still_for_some_only(bed: Bed) -> None:
    lock(bed)
    async with bed.running(private("a"), secrets=KEY):
        assert isinstance(bed.state(), Running)
    async with bed.running(private("a"), other(IMAGE, NEVER), secrets=KEY):
        assert isinstance(bed.state(), Running) and isinstance(state(bed), Waiting)


async def test_without_the_master_a_pod_starts_again_by_the_name_of_its_secret(bed: Bed) -> None:
    lock(bed)
    async with bed.running(private("a"), secrets=KEY):
        assert isinstance(bed.state(), Running)
    bed.engine.records.clear()  # the machine was rebooted, and its engine lost the containers
    async with bed.manager() as manager:
        await manager.apply(desired(private("a"), other(IMAGE, NEVER), secrets_known=False), complete=False)
        await settle()
        assert isinstance(bed.state(), Running) and isinstance(state(bed), Waiting)
        assert bed.reporter.statuses[UID].containers[0].ready


async def test_an_agent_that_dies_during_a_pull_opens_nothing(bed: Bed) -> None:
    lock(bed)
    bed.engine.stick("pull")
    async with bed.running(private("a"), secrets=KEY):
        await bed.clock.advance(PROGRESS_S)
        assert isinstance(bed.state(), Waiting)
    bed.engine.present[IMAGE] = "sha256:app"  # the engine has gone on
    bed.engine.unstick("pull")
    async with bed.running(other(IMAGE, NEVER)):
        assert isinstance(state(bed), Waiting)


def late(image: str) -> Pod:
    """A pod that waits for a config map between the check of its image and the start of its container."""
    key = KeyRef("late", "key")
    return replace(other(), containers=(Container("app", image, env=(EnvVar("A", config_map_key=key),)),))


async def test_a_name_that_leads_to_another_image_since_the_check_is_checked_again(bed: Bed) -> None:
    bed.engine.present[IMAGE] = "sha256:old"  # preloaded
    lock(bed)
    always = replace(private("a"), containers=(Container("app", IMAGE, pull_policy=PullPolicy.ALWAYS),))
    async with bed.running(late(IMAGE), secrets=KEY) as manager:
        assert isinstance(state(bed), Waiting)
        await manager.apply(desired(always, late(IMAGE), secrets=KEY), complete=True)
        await settle()
        assert isinstance(bed.state(), Running) and bed.engine.present[IMAGE] == "sha256:app"
        await manager.apply(desired(always, late(IMAGE), secrets=KEY, config_maps=LATE), complete=True)
        await bed.clock.advance(5)
        now = state(bed)
        assert isinstance(now, Waiting) and now.message.endswith("unauthorized")


async def test_an_image_that_the_pod_was_changed_to_since_the_check_is_checked_again(bed: Bed) -> None:
    lock(bed)
    async with bed.running(private("a"), late(PRELOADED), secrets=KEY) as manager:
        assert isinstance(bed.state(), Running) and isinstance(state(bed), Waiting)
        await manager.apply(desired(private("a"), late(IMAGE), secrets=KEY, config_maps=LATE), complete=True)
        await bed.clock.advance(5)
        now = state(bed)
        assert isinstance(now, Waiting) and now.message.endswith("unauthorized")


async def test_an_image_that_the_engine_pulls_after_all_opens_to_nobody(bed: Bed) -> None:
    lock(bed)
    bed.engine.fail_next("pull", PullGivenUp("no progress"))
    async with bed.running(private("a", "b"), secrets=KEY | secret("b", "me", "wrong")) as manager:
        waiting = bed.state()
        assert isinstance(waiting, Waiting) and waiting.message == "no progress; unauthorized"
        bed.engine.present["another:1"] = bed.engine.present[IMAGE] = "sha256:app"
        await manager.apply(desired(private("a"), other("another:1", NEVER), secrets=KEY), complete=True)
        await settle()
        assert isinstance(state(bed), Waiting)
