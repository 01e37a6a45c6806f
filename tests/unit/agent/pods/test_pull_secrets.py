"""Images of a private registry: which credentials are tried, and what people read when none of them is right."""

from __future__ import annotations

import base64
import json

from agent.model import Container, ObjectRef, Pod, Secret
from agent.statuses import Running, Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import Bed, desired, pod

IMAGE = "r.example/app:1"


def secret(name: str, user: str, password: str) -> dict[ObjectRef, Secret]:
    ref = ObjectRef("default", name)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    content = json.dumps({"auths": {"r.example": {"auth": auth}}}).encode()
    return {ref: Secret(ref, {".dockerconfigjson": content}, "kubernetes.io/dockerconfigjson")}


def private(*names: str) -> Pod:
    return pod(containers=(Container("app", IMAGE),), pull_secrets=names)


def lock(bed: Bed) -> None:
    bed.engine.registry[IMAGE] = "sha256:app"
    bed.engine.accounts[IMAGE] = ("me", "right")


async def test_the_secrets_are_tried_until_one_is_right(bed: Bed) -> None:
    lock(bed)
    secrets = secret("a", "me", "wrong") | secret("b", "me", "right") | secret("c", "me", "other")
    async with bed.running(private("a", "b", "c"), secrets=secrets):
        assert isinstance(bed.state(), Running)
        assert [each and each.source for each in bed.engine.tried] == ['secret "default/a"', 'secret "default/b"']


async def test_the_credentials_of_the_node_are_tried_at_last(bed: Bed) -> None:
    lock(bed)
    bed.engine.own_credentials = {IMAGE}
    async with bed.running(private("a"), secrets=secret("a", "me", "wrong")):
        assert isinstance(bed.state(), Running)
        assert [each and each.source for each in bed.engine.tried] == ['secret "default/a"', None]


async def test_an_image_without_a_matching_secret_is_pulled_without_credentials(bed: Bed) -> None:
    bed.engine.registry["other.example/app:1"] = "sha256:app"
    web = pod(containers=(Container("app", "other.example/app:1"),), pull_secrets=("a",))
    async with bed.running(web, secrets=secret("a", "me", "right")):
        assert isinstance(bed.state(), Running) and bed.engine.tried == [None]


async def test_a_denied_pull_says_that_no_secret_was_for_the_registry(bed: Bed) -> None:
    bed.engine.registry["other.example/app:1"] = "sha256:app"
    bed.engine.accounts["other.example/app:1"] = ("me", "right")
    web = pod(containers=(Container("app", "other.example/app:1"),), pull_secrets=("a", "gone"))
    async with bed.running(web, secrets=secret("a", "me", "right")):
        text = "unauthorized; of the pod's pull secrets (a, gone), none that exists is for this registry"
        assert bed.state() == Waiting("ErrImagePull", text)


async def test_a_missing_secret_is_an_event_and_the_pull_is_tried_all_the_same(bed: Bed) -> None:
    lock(bed)
    async with bed.running(private("gone", "a"), secrets=secret("a", "me", "right")):
        assert isinstance(bed.state(), Running)
        (event,) = [each for each in bed.reporter.events if each.reason == "FailedToRetrieveImagePullSecret"]
        assert event.message.startswith("Unable to retrieve some image pull secrets (gone);")


async def test_a_corrected_secret_is_tried_at_once(bed: Bed) -> None:
    lock(bed)
    web = private("a")
    async with bed.running(web, secrets=secret("a", "me", "wrong")) as manager:
        state = bed.state()
        assert isinstance(state, Waiting) and (state.reason, bed.ready()) == ("ErrImagePull", False)
        await manager.apply(desired(web, secrets=secret("a", "me", "right")), complete=True)
        await settle()
        assert isinstance(bed.state(), Running)


async def test_after_a_restart_without_the_master_the_pull_waits_for_the_secret(bed: Bed) -> None:
    lock(bed)
    web = private("a")
    async with bed.manager() as manager:
        await manager.apply(desired(web, secrets_known=False), complete=False)
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "ErrImagePull"
        assert "waiting for the master" in state.message and bed.engine.tried == []
        await manager.apply(desired(web, secrets=secret("a", "me", "right")), complete=True)
        await settle()
        assert isinstance(bed.state(), Running)
