"""What an ephemeral container may set, and which changes of them are allowed. The reference is kube-apiserver 1.37."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from master.kinds.core.pod.defaults import default_pod_spec
from master.kinds.core.pod.ephemeral import EPHEMERAL_CONTAINERS
from master.kinds.core.pod.model import Pod, PodSpec
from master.objects.meta import ObjectMeta
from master.schema.checks import Findings

INVALID, REQUIRED, FORBIDDEN = "FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"
DUPLICATE, MISSING = "FieldValueDuplicate", "FieldValueNotFound"
AT = "spec.ephemeralContainers"
BASE = {
    "containers": [{"name": "c", "image": "i"}],
    "initContainers": [{"name": "s", "image": "i"}],
    "volumes": [{"name": "v"}],
}
PROBE = {"tcpSocket": {"port": 1}}


def pod(*added: dict[str, Any]) -> Pod:
    spec = default_pod_spec(msgspec.convert({**BASE, "ephemeralContainers": added}, PodSpec))
    return Pod(metadata=ObjectMeta(name="p", generation=1), spec=spec)


def change(before: Pod, *added: dict[str, Any]) -> tuple[Pod, list[tuple[str, str]]]:
    """The pod as it would be stored, and reason and field of each cause of a refusal."""
    new = EPHEMERAL_CONTAINERS.take(pod(*added), before)
    findings = Findings()
    assert EPHEMERAL_CONTAINERS.check is not None
    EPHEMERAL_CONTAINERS.check(new, before, findings)
    return new, [(cause.reason, cause.field) for cause in findings.causes]


def debug(**fields: Any) -> dict[str, Any]:
    return {"name": "d", "image": "i", **fields}


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        pytest.param(debug(), [], id="plain"),
        pytest.param(debug(targetContainerName="c", stdin=True, tty=True), [], id="target"),
        pytest.param(debug(targetContainerName="s"), [], id="an init container as the target"),
        pytest.param(debug(volumeMounts=[{"name": "v", "mountPath": "/v"}]), [], id="mount"),
        pytest.param(debug(targetContainerName="d"), [(MISSING, "[0].targetContainerName")], id="itself as the target"),
        pytest.param({"name": "d"}, [(REQUIRED, "[0].image")], id="no image"),
        pytest.param({**debug(), "name": "c"}, [(DUPLICATE, "[0].name")], id="the name of a container"),
        pytest.param({**debug(), "name": "s"}, [(DUPLICATE, "[0].name")], id="the name of an init container"),
        pytest.param({**debug(), "name": "D_"}, [(INVALID, "[0].name")], id="a wrong name"),
        pytest.param(debug(ports=[{"containerPort": 80}]), [(FORBIDDEN, "[0].ports")], id="ports"),
        pytest.param(debug(resources={"limits": {"cpu": "1"}}), [(FORBIDDEN, "[0].resources")], id="resources"),
        pytest.param(debug(livenessProbe=PROBE), [(FORBIDDEN, "[0].livenessProbe")], id="liveness probe"),
        pytest.param(debug(readinessProbe=PROBE), [(FORBIDDEN, "[0].readinessProbe")], id="readiness probe"),
        pytest.param(debug(startupProbe=PROBE), [(FORBIDDEN, "[0].startupProbe")], id="startup probe"),
        pytest.param(debug(lifecycle={"preStop": PROBE}), [(FORBIDDEN, "[0].lifecycle")], id="hook"),
        pytest.param(debug(restartPolicy="Always"), [(FORBIDDEN, "[0].restartPolicy")], id="restart policy"),
        pytest.param(
            debug(volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "a"}]),
            [(FORBIDDEN, "[0].volumeMounts[0].subPath")],
            id="subPath",
        ),
        pytest.param(
            debug(volumeMounts=[{"name": "v", "mountPath": "/v", "subPathExpr": "a"}]),
            [(FORBIDDEN, "[0].volumeMounts[0].subPathExpr")],
            id="subPathExpr",
        ),
        pytest.param(
            debug(volumeMounts=[{"name": "w", "mountPath": "/v"}]),
            [(MISSING, "[0].volumeMounts[0].name")],
            id="an unknown volume",
        ),
        pytest.param(
            debug(securityContext={"procMount": "Unmasked"}),
            [(INVALID, "[0].securityContext.procMount")],
            id="a setting that no node carries out",
        ),
    ],
)
def test_what_one_may_set(added: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert change(pod(), added)[1] == [(reason, f"{AT}{field}") for reason, field in expected]


@pytest.mark.parametrize(
    "added",
    [
        pytest.param([], id="removed"),
        pytest.param([{**debug(), "name": "e"}], id="replaced"),
        pytest.param([debug(image="other")], id="another image"),
    ],
)
def test_those_that_are_there_stay_as_they_are(added: list[dict[str, Any]]) -> None:
    assert (FORBIDDEN, AT) in change(change(pod(), debug())[0], *added)[1]


def test_one_more_is_added_with_its_defaults_wherever_it_is_in_the_list() -> None:
    before = change(pod(), debug())[0]
    after, causes = change(before, {**debug(), "name": "e"}, debug())
    assert causes == []
    assert [each.name for each in after.spec.ephemeral_containers] == ["e", "d"]
    assert {each.image_pull_policy for each in after.spec.ephemeral_containers} == {"Always"}
    assert after.metadata.generation == before.metadata.generation + 1 == 3


def test_nothing_else_of_the_pod_changes() -> None:
    before = pod()
    changed = msgspec.structs.replace(pod(debug()), metadata=ObjectMeta(name="p", labels={"a": "b"}))
    changed = msgspec.structs.replace(changed, spec=msgspec.structs.replace(changed.spec, host_network=True))
    after = EPHEMERAL_CONTAINERS.take(changed, before)
    assert after.metadata.labels == {} and not after.spec.host_network
    assert EPHEMERAL_CONTAINERS.take(before, before) is before
