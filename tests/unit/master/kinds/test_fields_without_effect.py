"""Fields that are declared as inert are answered with a warning; refused ones are refused by the API or the node."""

from __future__ import annotations

from typing import Any, Final

import pytest

from master.dispatch.security import unsupported
from master.dispatch.volumes import volume_message
from master.kinds import ALL, PASSIVE, POD, REPLICATIONCONTROLLER, SERVICE, registry
from master.kinds.core.pod.inert import CONDITIONAL
from master.registry.resource import Resource
from master.schema.checks import Findings
from master.schema.tree import (
    Anything,
    Field,
    Flag,
    Items,
    Map,
    Node,
    Number,
    NumberOrText,
    Place,
    Struct,
    Text,
    places,
)

REGISTRY = registry()


class Keyspace:
    def holder(self, key: str) -> bytes | None:
        return None


def checked(resource: Resource[Any], value: dict[str, Any]) -> Findings:
    """The findings about an object after its defaults."""
    obj = resource.schema.read(value, [])
    strategy = REGISTRY.strategy(resource)
    obj = strategy.default(resource.schema.default(obj))
    findings = Findings()
    resource.schema.check(obj, findings)
    strategy.check(obj, None, findings, Keyspace())  # type: ignore[arg-type]
    return findings


def pod(containers: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    containers = containers or [{"name": "app", "image": "web:1"}]
    return {"metadata": {"name": "web"}, "spec": {"containers": containers, **spec}}


def warnings(resource: Resource[Any], value: dict[str, Any]) -> list[str]:
    """The paths that are warned about."""
    return [warning.partition(":")[0] for warning in checked(resource, value).warnings]


# -- each declaration ---------------------------------------------------------------------------------------------


def example(node: Node, without: tuple[Any, ...] = ()) -> Any:
    """A value of the type that is not empty and not one of those in `without`."""
    if isinstance(node, Struct):
        return {name: example(field.node) for name, field in node.fields.items() if field.required}
    if isinstance(node, Items):
        return [example(node.item)]
    if isinstance(node, Map):
        return {"example.com/thing": example(node.item)}
    if isinstance(node, Text):
        choices = [choice for choice in node.rules.choice if choice and choice not in without]
        return choices[0] if choices else "1" if node.format == "quantity" else "other"
    if isinstance(node, Flag):
        return True not in without
    if isinstance(node, (Number, NumberOrText)):
        return 1
    assert not isinstance(node, Anything)
    raise AssertionError(node)


def nested(path: str, value: Any) -> Any:
    """The value at a path such as `spec.containers[].image`."""
    name, _, rest = path.partition(".")
    inner = nested(rest, value) if rest else value
    return {name.removesuffix("[]"): [inner] if name.endswith("[]") else inner}


def declared(what: str) -> list[Any]:
    """The fields with a declaration, each once, as parameters of a test. Templates have the fields of pods."""
    params = []
    seen: set[int] = set()
    for resource in ALL:
        if resource in PASSIVE:
            continue
        for place in places(resource.schema.tree):
            if getattr(place.field, what) and place.path.split(".")[0] != "status" and id(place.field) not in seen:
                seen.add(id(place.field))
                params.append(pytest.param(resource, place, id=f"{resource.kind}.{place.path}"))
    return params


# Refused by the node's volumes, and by admission.
REFUSED_ELSEWHERE = frozenset({"medium", "runtimeClassName"})


def is_warned_about(field: Field) -> bool:
    """Whether there are values that are warned about."""
    return not isinstance(field.node, Text) or not field.effective or {*field.node.rules.choice} != {*field.effective}


@pytest.mark.parametrize(("resource", "place"), declared("inert"))
def test_a_declared_field_is_answered_with_a_warning(resource: Resource[Any], place: Place) -> None:
    if not is_warned_about(place.field):
        return
    value = example(place.field.node, place.field.effective)
    obj = resource.schema.read(nested(place.path, value), [])
    findings = Findings()
    resource.schema.check(obj, findings)
    path = place.path.replace("[]", "[0]")
    (warning,) = findings.warnings
    assert warning.startswith(path)
    assert warning.endswith(f": has no effect yet: {place.field.inert}")


@pytest.mark.parametrize(("resource", "place"), declared("inert"))
def test_a_value_that_needs_no_warning_gets_none(resource: Resource[Any], place: Place) -> None:
    for value in place.field.effective:
        value = {value: "1"} if isinstance(place.field.node, Map) else value
        obj = resource.schema.read(nested(place.path, value), [])
        findings = Findings()
        resource.schema.check(obj, findings)
        assert findings.warnings == []


@pytest.mark.parametrize(("resource", "place"), declared("refused"))
def test_a_refused_field_keeps_the_pod_from_running(resource: Resource[Any], place: Place) -> None:
    field = place.field
    if field.name in REFUSED_ELSEWHERE:
        return
    value = field.refused_values[0] if field.refused_values else example(field.node)
    if field.name == "windowsOptions":
        value = {"runAsUserName": "a"}
    obj = POD.schema.read(nested(place.path, value), [])
    volumes = [volume_message(volume) for volume in obj.spec.volumes]
    assert unsupported(obj.spec) or [volume.unsupported.rpartition(".")[2] for volume in volumes] == [field.name]


# -- which values are warned about --------------------------------------------------------------------------------


RESIZE: Final = {"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]}


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        pytest.param(pod(), [], id="an ordinary pod"),
        pytest.param(pod(dnsPolicy="ClusterFirst", terminationGracePeriodSeconds=5), [], id="defaults"),
        pytest.param(pod(dnsPolicy="Default"), [], id="what happens anyway"),
        pytest.param(pod(hostnameOverride="x"), [], id="another name"),
        pytest.param(pod(setHostnameAsFQDN=True), [], id="true"),
        pytest.param(pod(priority=0), [], id="zero"),
        pytest.param(pod(tolerations=[]), [], id="an empty list"),
        pytest.param(
            pod([{"name": "a", "image": "i"}, {"name": "b", "image": "i", **RESIZE}]),
            ["spec.containers[1].resizePolicy"],
            id="in a list",
        ),
        pytest.param(
            pod([{"name": name, "image": "i", **RESIZE} for name in "abc"]),
            ["spec.containers[0].resizePolicy"],
            id="the same in several containers",
        ),
        pytest.param(
            pod([{"name": "a", "image": "i", "resources": {"limits": {"cpu": "1", "example.com/a": "1"}}}]),
            ["spec.containers[0].resources.limits[example.com/a]"],
            id="another resource",
        ),
        pytest.param(
            pod([{"name": "a", "image": "i", "ports": [{"containerPort": 80, "hostPort": 80, "hostIP": "192.0.2.1"}]}]),
            [],
            id="a host port of an IPv4 address",
        ),
        pytest.param(
            pod([{"name": "a", "image": "i", "ports": [{"containerPort": 80, "hostPort": 80, "hostIP": "::1"}]}]),
            ["spec.containers[0].ports[0].hostIP"],
            id="a host port of an IPv6 address",
        ),
        pytest.param(
            pod(
                [
                    {
                        "name": "a",
                        "image": "i",
                        "ports": [
                            {"containerPort": 80, "hostPort": 80, "hostIP": "127.0.0.1", "protocol": protocol}
                            for protocol in ("TCP", "UDP")
                        ],
                    }
                ]
            ),
            ["spec.containers[0].ports[1].hostIP"],
            id="host ports of the loopback",
        ),
        pytest.param(
            pod([{"name": "a", "image": "i", "ports": [{"containerPort": 80}]}], hostNetwork=True),
            [],
            id="a host port in the host's network",
        ),
        pytest.param(
            pod(hostNetwork=True, hostAliases=[{"ip": "192.0.2.1", "hostnames": ["a"]}]),
            [],
            id="aliases in the host's network",
        ),
        pytest.param(
            pod([{"name": "a", "image": "i", "resources": {"limits": {"ephemeral-storage": "1Gi"}}}]),
            [],
            id="ephemeral storage",
        ),
        pytest.param(pod(volumes=[{"name": "a", "emptyDir": {"sizeLimit": "1Gi"}}]), [], id="a volume's size"),
    ],
)
def test_the_warnings_about_a_pod(value: dict[str, Any], paths: list[str]) -> None:
    assert warnings(POD, value) == paths


def test_a_template_is_warned_about_as_a_pod_is() -> None:
    tolerations = [{"key": "a", "operator": "Exists"}]
    spec = pod([{"name": "a", "image": "i", **RESIZE}], tolerations=tolerations)["spec"]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    assert warnings(REPLICATIONCONTROLLER, {"metadata": {"name": "web"}, "spec": {"template": template}}) == [
        "spec.template.spec.containers[0].resizePolicy",
        "spec.template.spec.tolerations[0]",
    ]


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        pytest.param({}, [], id="defaults"),
        pytest.param({"type": "NodePort"}, [], id="node ports"),
        pytest.param({"sessionAffinity": "ClientIP"}, ["spec.sessionAffinity"], id="affinity is one warning"),
        pytest.param({"type": "LoadBalancer"}, ["spec.type"], id="a load balancer"),
        pytest.param(
            {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False},
            ["spec.type", "spec.allocateLoadBalancerNodePorts"],
            id="false where true is the default",
        ),
        pytest.param({"internalTrafficPolicy": "Local"}, ["spec.internalTrafficPolicy"], id="a policy"),
    ],
)
def test_the_warnings_about_a_service(spec: dict[str, Any], paths: list[str]) -> None:
    assert warnings(SERVICE, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], **spec}}) == paths


def test_an_answer_has_few_warnings() -> None:
    findings = Findings()
    for number in range(12):
        findings.inert(f"spec.field{number}", f"it would have effect {number}")
    found = findings.warnings
    assert len(found) == 11 and found[-1] == "further fields have no effect yet; docs/fields.md lists them"


def test_a_status_is_not_warned_about() -> None:
    resources = {"requests": {"example.com/gpu": "1"}}
    status = {"name": "app", "resources": resources, "ready": True, "restartCount": 0, "image": "", "imageID": ""}
    assert warnings(POD, {**pod(), "status": {"containerStatuses": [status], "resources": resources}}) == []


def test_the_conditional_fields_exist() -> None:
    paths = {place.path for place in places(POD.schema.tree)}
    assert [path for path in CONDITIONAL if f"spec.{path}" not in paths] == []
