"""Valid cuts with randomly changed bytes: each is applied whole, or refused without a change."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import pytest

from proto.gen import desired_pb2, session_pb2
from tests.fakes.hostile import mutated
from tests.fakes.hostile_master import (
    GOOD,
    Message,
    cut,
    endpoints,
    moment,
    pod,
    service,
)


@pytest.mark.timeout(900)
async def test_mutated_cuts_are_applied_whole_or_refused(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """A cut that is applied can be converted for pods and network, stored and read back."""
    from agent.desired.state import DesiredState
    from agent.session.channel import parsed
    from agent.wire.errors import Gap, Garbled

    chance = random.Random(pytestconfig.getoption("--seed", default=None) or 20261121)
    rich = pod(
        "rich",
        labels={"a": "b"},
        restart_policy="OnFailure",
        grace_period_s=30,
        creation_timestamp=moment(1_700_000_000),
        volumes=[desired_pb2.Volume(name="v", host_path=desired_pb2.Volume.HostPath(path="/x"))],
        host_aliases=[desired_pb2.HostAlias(ip="1.2.3.4", hostnames=["x"])],
    )
    ref = desired_pb2.ObjectRef(namespace="default", name="s")
    good = cut(
        pods=[rich, pod("b")],
        services=[service(port=80, protocol="TCP", node_port=30080)],
        endpoints=[endpoints(8080)],
        peers=[desired_pb2.Peer(name="node-2", address="10.0.0.2", pod_cidr="10.244.2.0/24")],
        config_maps=[desired_pb2.ConfigMap(ref=ref, data={"k": "v"})],
        secrets=[desired_pb2.Secret(ref=ref, data={"k": b"v"})],
    ).SerializeToString()
    taken = refused = 0
    for _ in range(50_000 if pytestconfig.getoption("--long", default=False) else 4000):
        state = DesiredState()
        state.receive(GOOD.cut, member=True)
        try:
            message = parsed(Message, mutated(good, chance))
            applied = state.receive(message.cut, member=True)
        except (Garbled, Gap):
            applied = False
            assert has_good_state(state)
            refused += 1
        if not applied:
            assert has_good_state(state)
            continue
        taken += 1
        assert all(uid and "/" not in uid for uid in state.for_pods().pods)
        assert state.network_settings(node_name="node-1", state_dir=tmp_path) is not None
        logging.disable(logging.ERROR)
        state.for_network()
        logging.disable(logging.NOTSET)
        kept = state.dump(secrets=True)
        assert session_pb2.Cut.FromString(kept.SerializeToString()) == kept
    assert min(taken, refused) > 50, "both outcomes must occur"


def has_good_state(state: Any) -> bool:
    return state.revision == 5 and set(state.for_pods().pods) == {"good"}
