"""A new pod gets the pull secrets of its service account, unless it has its own."""

from __future__ import annotations

import pytest

from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import POD, SERVICEACCOUNT
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.serviceaccount import ServiceAccount
from master.objects.meta import LocalObjectReference, ObjectMeta


def refs(*names: str) -> tuple[LocalObjectReference, ...]:
    return tuple(LocalObjectReference(name=name) for name in names)


@pytest.mark.parametrize(
    ("own", "of_account", "expected"),
    [
        pytest.param((), ("a", "b"), ("a", "b"), id="of the account"),
        pytest.param(("own",), ("a",), ("own",), id="its own"),
        pytest.param((), (), (), id="none"),
    ],
)
async def test_a_new_pod_has_the_secrets(
    resources: Resources, me: Caller, own: tuple[str, ...], of_account: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    account = ServiceAccount(metadata=ObjectMeta(name="puller"), image_pull_secrets=refs(*of_account))
    await resources.create(me, SERVICEACCOUNT, account, namespace="default")
    spec = PodSpec(
        containers=(Container(name="c", image="i"),), service_account_name="puller", image_pull_secrets=refs(*own)
    )
    made = await resources.create(me, POD, Pod(metadata=ObjectMeta(name="p"), spec=spec), namespace="default")
    assert made.spec.image_pull_secrets == refs(*expected)
