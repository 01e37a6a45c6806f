"""A pod with a runtime class gets the class's overhead and scheduling."""

from __future__ import annotations

from typing import Any

import pytest

from master.admission.tolerations import merged
from master.api.errors import Forbidden
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import POD, RUNTIMECLASS
from master.kinds.core.pod.affinity import Toleration
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.objects.meta import ObjectMeta
from master.schema.data import Untyped

OVERHEAD = {"overhead": {"podFixed": {"cpu": "250m", "memory": "1024Mi"}}}
GPU = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
SCHEDULING = {"scheduling": {"nodeSelector": {"runtime": "kata"}, "tolerations": [GPU]}}


async def create(resources: Resources, me: Caller, content: dict[str, Any] | None, **spec: Any) -> PodSpec:
    """The spec of a new pod, after a class `kata` with this content was made."""
    if content is not None:
        made = Untyped(metadata=ObjectMeta(name="kata"), content={"handler": "kata", **content})
        await resources.create(me, RUNTIMECLASS, made)
    containers = (Container(name="app", image="nginx"),)
    pod = Pod(metadata=ObjectMeta(name="web"), spec=PodSpec(containers=containers, **spec))
    return (await resources.create(me, POD, pod, namespace="default")).spec


@pytest.mark.parametrize(
    ("content", "spec", "expected"),
    [
        pytest.param({}, {}, {}, id="an empty class"),
        pytest.param(OVERHEAD, {}, {"cpu": "250m", "memory": "1Gi"}, id="the overhead of the class"),
        pytest.param(
            OVERHEAD,
            {"overhead": {"cpu": "0.25", "memory": "1073741824"}},
            {"cpu": "250m", "memory": "1Gi"},
            id="the same overhead in another form",
        ),
    ],
)
async def test_overhead(
    resources: Resources, me: Caller, content: dict[str, Any], spec: dict[str, Any], expected: dict[str, str]
) -> None:
    made = await create(resources, me, content, runtime_class_name="kata", **spec)
    assert (made.runtime_class_name, made.overhead) == ("kata", expected)


async def test_scheduling(resources: Resources, me: Caller) -> None:
    own = Toleration(key="own", operator="Exists")
    narrow = Toleration(key="gpu", operator="Equal", value="a", effect="NoSchedule")
    made = await create(
        resources,
        me,
        SCHEDULING,
        runtime_class_name="kata",
        node_selector={"disk": "ssd"},
        tolerations=(own, narrow),
    )
    assert made.node_selector == {"disk": "ssd", "runtime": "kata"}
    wide = Toleration(key="gpu", operator="Exists", effect="NoSchedule")
    assert [made.tolerations[0], made.tolerations[-1]] == [own, wide]
    assert narrow not in made.tolerations, "the class's toleration includes it"


@pytest.mark.parametrize(
    ("content", "spec", "why"),
    [
        pytest.param(
            None, {"runtime_class_name": "kata"}, 'pod rejected: RuntimeClass "kata" not found', id="missing class"
        ),
        pytest.param(
            OVERHEAD,
            {"runtime_class_name": "kata", "overhead": {"cpu": "1"}},
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
            id="another overhead",
        ),
        pytest.param(
            {},
            {"runtime_class_name": "kata", "overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
            id="overhead, but none in the class",
        ),
        pytest.param(
            None,
            {"overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
            id="overhead without a class",
        ),
        pytest.param(
            SCHEDULING,
            {"runtime_class_name": "kata", "node_selector": {"runtime": "runc"}},
            "conflict: runtimeClass.scheduling.nodeSelector[runtime] = kata; pod.spec.nodeSelector[runtime] = runc",
            id="another node selector",
        ),
    ],
)
async def test_refused(
    resources: Resources, me: Caller, content: dict[str, Any] | None, spec: dict[str, Any], why: str
) -> None:
    with pytest.raises(Forbidden) as refused:
        await create(resources, me, content, **spec)
    assert str(refused.value) == f'pods "web" is forbidden: {why}'


def _toleration(text: str) -> Toleration:
    key, operator, value, effect, seconds = text.split("/")
    return Toleration(
        key=key, operator=operator, value=value, effect=effect, toleration_seconds=int(seconds) if seconds else None
    )


@pytest.mark.parametrize(
    ("tolerations", "kept"),
    [
        pytest.param(("a/Exists///", "a/Exists///"), (0,), id="equal: the first"),
        pytest.param(("a/Equal/x//", "a/Exists///"), (1,), id="any value includes one"),
        pytest.param(("a/Exists///", "a/Equal/x//"), (0,), id="the other way round"),
        pytest.param(("a/Equal/x//", "a/Equal/y//"), (0, 1), id="two values"),
        pytest.param(("/Exists///", "a/Exists///", "b/Equal/x/NoSchedule/"), (0,), id="any key"),
        pytest.param(("/Equal/x//", "a/Equal/x//"), (0, 1), id="an empty key is not any key for Equal"),
        pytest.param(("a/Exists//NoSchedule/", "a/Exists///"), (1,), id="any effect"),
        pytest.param(("a/Exists//NoExecute/10", "a/Exists//NoExecute/20"), (1,), id="the longer one"),
        pytest.param(("a/Exists//NoExecute/10", "a/Exists//NoExecute/"), (1,), id="for ever"),
        pytest.param(("a//x//", "a/Equal/x//"), (0,), id="no operator includes Equal"),
    ],
)
def test_merged_tolerations(tolerations: tuple[str, ...], kept: tuple[int, ...]) -> None:
    given = [_toleration(text) for text in tolerations]
    assert merged(given) == tuple(given[index] for index in kept)
