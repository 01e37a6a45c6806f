"""Tokens for pods, from the master's accounts over a real session to the agent, and back to the API as a caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
import pytest_asyncio

from agent import model
from agent.errors import MasterAway
from agent.session.tokens import NoToken
from master import kinds
from master.api.errors import Unauthorized
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.serviceaccount import ServiceAccount
from master.objects.meta import ObjectMeta
from master.pki import Pki
from tests.fakes.sessions import CALLER, AgentEnd, MasterEnd, master_end, until

pytestmark = pytest.mark.timeout(30)
INJECTED = model.TokenSource("token", "", 3607)


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    async with master_end(pki) as end:
        for name in ("default", "robot"):
            account = ServiceAccount(metadata=ObjectMeta(name=name))
            await end.resources.create(CALLER, kinds.SERVICEACCOUNT, account, namespace="default")
        yield end


async def pod_on(master: MasterEnd, node: str, name: str = "web") -> model.Pod:
    spec = PodSpec(containers=(Container(name="app", image="app:1"),), node_name=node, service_account_name="robot")
    made = Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)
    pod = await master.resources.create(CALLER, kinds.POD, made, namespace="default")
    return model.Pod(model.PodUid(pod.metadata.uid), "default", name, (), service_account="robot")


async def test_a_token_identifies_the_account_of_the_pod_until_the_pod_is_gone(
    master: MasterEnd, tmp_path: Path
) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        pod = await pod_on(master, "node-1")
        token, lifetime_s = await agent.tokens.issue(pod, INJECTED)
        assert lifetime_s == 3607
        caller, _ = master.resources.tokens.authenticate(token.decode())
        assert caller.name == "system:serviceaccount:default:robot"
        extra = {key.rpartition("/")[2]: values for key, values in caller.extra}
        assert (extra["pod-name"], extra["pod-uid"], extra["node-name"]) == (("web",), (pod.uid,), ("node-1",))
        payload = jwt.decode(token, options={"verify_signature": False})
        private = payload["kubernetes.io"]
        assert private["warnafter"] == payload["iat"] + 3607
        assert payload["exp"] - payload["iat"] == timedelta(days=365).total_seconds()
        await master.resources.delete(CALLER, kinds.POD, "default", "web", grace_period_s=0)
        with pytest.raises(Unauthorized, match="pod of the token does not exist"):
            master.resources.tokens.authenticate(token.decode())


async def test_a_node_gets_no_token_for_what_its_pods_do_not_ask(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        pod = await pod_on(master, "node-1")
        elsewhere = await pod_on(master, "node-2", "other")
        refused = [
            (elsewhere, INJECTED, "is not on node node-1"),
            (replace(pod, uid=model.PodUid("x")), INJECTED, "is not on node node-1"),
            (pod, replace(INJECTED, audience="vault"), "no volume with such a token"),
            (pod, replace(INJECTED, expiration_s=1 << 30), "no volume with such a token"),
        ]
        for asking, source, why in refused:
            with pytest.raises(NoToken, match=why):
                await agent.tokens.issue(asking, source)
        assert await agent.tokens.issue(pod, INJECTED), "the session goes on"


async def test_without_a_session_there_is_no_token(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        pod = await pod_on(master, "node-1")
    with pytest.raises(MasterAway, match="no session with the master"):
        await agent.tokens.issue(pod, INJECTED)
