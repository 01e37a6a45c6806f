"""Numbers and texts at the bounds of the API are within the bounds of agents; what is beyond them is not sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agent.model import PodPhase, PullPolicy, RestartPolicy
from master import cluster_api, kinds
from master.api.errors import BadRequest
from master.api.resources import Resources
from master.cache import Cache
from master.dispatch.logs import log_request
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import Endpoints
from master.kinds.core.namespace import Namespace
from master.kinds.core.pod.logs import LogOptions
from master.kinds.core.pod.model import Pod
from master.kinds.core.service.model import Service
from master.kinds.discovery.endpointslice import EndpointSlice
from master.objects.meta import ObjectMeta
from master.objects.scalars import MAX_INT32
from master.store.memory import MemoryStore
from proto import checks
from tests.fakes.clock import FakeClock
from tests.fakes.sessions import CALLER
from tests.unit.master.dispatch.session import Session, node, pod

NOW = datetime(2026, 11, 28, tzinfo=UTC).timestamp()
MAX_INT64 = (1 << 63) - 1
LONGEST_LABEL, LONGEST_NAME = "a" * 63, ".".join(["a" * 63] * 3 + ["a" * 61])


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    store = MemoryStore()
    resources = cluster_api.resources(store, await Cache.load(store, kinds.ALL), kinds.registry(), clock=FakeClock())
    for name in ("default", LONGEST_LABEL):
        await resources.create(CALLER, kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    yield resources


def extreme_pod(name: str, namespace: str, number: int) -> Any:
    quantities = {"cpu": str(MAX_INT64), "memory": str(MAX_INT64)} if number else {"cpu": "0", "memory": "0"}
    port = 65535 if number else 1
    ports = [{"containerPort": port, "hostPort": port, "protocol": text} for text in ("TCP", "UDP", "SCTP")]
    mode = 0o777 if number else 0
    return {
        "metadata": {"name": name, "namespace": namespace, "annotations": {"a": "x" * (250 << 10)}},
        "spec": {
            "nodeName": "n",
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": MAX_INT32 if number else 0,
            "activeDeadlineSeconds": MAX_INT32 if number else 1,
            "securityContext": {"runAsUser": MAX_INT32 if number else 0, "runAsGroup": MAX_INT32 if number else 0},
            "volumes": [
                {"name": LONGEST_LABEL, "emptyDir": {"sizeLimit": str(MAX_INT64 if number else 0)}},
                {"name": "s", "secret": {"secretName": "NO NAME", "defaultMode": mode}},
                {"name": "m", "configMap": {"name": "x" * 1000, "defaultMode": mode}},
            ],
            "containers": [
                {
                    "name": LONGEST_LABEL,
                    "image": "i" * 100_000,
                    "ports": ports,
                    "resources": {"limits": quantities, "requests": quantities},
                    "env": [
                        {
                            "name": "CPU",
                            "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}},
                        }
                    ],
                }
            ],
        },
    }


@pytest.mark.parametrize("number", [0, 1], ids=["least", "most"])
async def test_a_pod_at_the_bounds_of_the_api_reaches_its_node(resources: Resources, number: int) -> None:
    body = extreme_pod(LONGEST_NAME, LONGEST_LABEL, number)
    made = await resources.create(CALLER, kinds.POD, msgspec.convert(body, Pod, strict=False), namespace=LONGEST_LABEL)
    session = Session(made)
    assert not session.problems and not session.state.take_refusals()
    (pod,) = session.state.for_pods().pods.values()
    assert (pod.name, pod.namespace) == (LONGEST_NAME, LONGEST_LABEL)


async def test_services_endpoints_and_payloads_at_the_bounds_of_the_api_reach_the_node(resources: Resources) -> None:
    ports = [{"name": LONGEST_LABEL, "port": 65535, "protocol": "SCTP"}, {"name": "b", "port": 1, "protocol": "UDP"}]
    meta = {"name": LONGEST_LABEL, "namespace": LONGEST_LABEL}
    bodies: list[tuple[Any, Any, Any]] = [
        (kinds.SERVICE, Service, {"metadata": meta, "spec": {"clusterIP": "None", "ports": ports}}),
        (
            kinds.ENDPOINTS,
            Endpoints,
            {"metadata": meta, "subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": ports}]},
        ),
        (
            kinds.ENDPOINTSLICE,
            EndpointSlice,
            {
                "metadata": {
                    "name": LONGEST_NAME,
                    "namespace": LONGEST_LABEL,
                    "labels": {"kubernetes.io/service-name": LONGEST_LABEL},
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["10.1.2.3"]}],
                "ports": ports,
            },
        ),
        (
            kinds.CONFIGMAP,
            ConfigMap,
            {
                "metadata": {"name": LONGEST_NAME, "namespace": LONGEST_LABEL},
                "data": {"k" * 253: "x" * ((1 << 20) - 300)},
            },
        ),
    ]
    objects = []
    for kind, model, body in bodies:
        objects.append(await resources.create(CALLER, kind, msgspec.convert(body, model), namespace=LONGEST_LABEL))
    reader = {
        "metadata": {"name": "p", "namespace": LONGEST_LABEL},
        "spec": {
            "nodeName": "n",
            "containers": [{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": LONGEST_NAME}}]}],
        },
    }
    objects.append(await resources.create(CALLER, kinds.POD, msgspec.convert(reader, Pod), namespace=LONGEST_LABEL))
    session = Session(*objects)
    assert not session.problems and not session.state.take_refusals()
    desired = session.state.for_pods()
    assert (len(desired.pods), len(desired.services), len(desired.config_maps)) == (1, 1, 1)
    assert len(session.state.dump(secrets=True).endpoints[0].subsets) == 2


def broken(**metadata: Any) -> Pod:
    """A pod as another release may have stored it: with a name of a container that agents refuse."""
    whole = pod(**metadata)
    containers = (msgspec.structs.replace(whole.spec.containers[0], name="../c"),)
    return msgspec.structs.replace(whole, spec=msgspec.structs.replace(whole.spec, containers=containers))


def test_a_pod_that_agents_would_refuse_is_not_sent_and_reported() -> None:
    session = Session(broken())
    assert session.pods() == {}
    assert session.problems == ["container: '../c' is not valid"]
    session.change(pod())
    assert list(session.pods()) == ["web"]
    session.change(broken())
    assert session.pods()["web"].containers[0].name == "c", "the pod stays as it was"


def test_a_pod_that_cannot_be_sent_can_still_be_deleted() -> None:
    deletion = {"deletionTimestamp": "2026-11-28T00:00:30Z", "deletionGracePeriodSeconds": 30}
    session = Session(broken())
    session.change(broken(**deletion))
    assert session.pods()["web"].deleted, "the agent reports that nothing is left"
    session = Session(pod())
    session.change(broken(**deletion))
    (ending,) = session.pods().values()
    assert ending.deleted and [container.name for container in ending.containers] == ["c"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00"])
def test_times_of_a_wrong_clock_are_brought_within_bounds(moment: str) -> None:
    session = Session(pod(creationTimestamp=moment, deletionTimestamp=moment, deletionGracePeriodSeconds=MAX_INT64))
    (ending,) = session.pods().values()
    assert ending.deleted and ending.grace_period_s == MAX_INT32
    assert not session.problems


def test_a_node_without_address_keeps_its_configuration() -> None:
    session = Session()
    for address in ("", "fd00::1"):
        session.change(node(address))
        assert session.state.for_pods().host_ip == "10.0.0.1"
    session.change(node("10.0.0.2"))
    assert session.state.for_pods().host_ip == "10.0.0.2"


@pytest.mark.parametrize(
    ("options", "since"),
    [
        pytest.param(LogOptions(since_seconds=1), int(NOW) - 1, id="a second"),
        pytest.param(LogOptions(since_seconds=999_999 * 3600), 0, id="before 1970"),
        pytest.param(LogOptions(since_seconds=MAX_INT64), 0, id="before everything"),
        pytest.param(LogOptions(since_time="0001-01-01T00:00:00Z"), 0, id="year 1"),
        pytest.param(LogOptions(since_time="0001-01-01T00:00:00+14:00"), 0, id="before year 1"),
        pytest.param(LogOptions(since_time="1969-12-31T23:59:59.5Z"), 0, id="just before 1970"),
        pytest.param(LogOptions(since_time="9999-12-31T23:59:59Z"), checks.YEAR_10000 - 1, id="year 9999"),
        pytest.param(LogOptions(since_time="9999-12-31T23:59:59-14:00"), checks.YEAR_10000 - 1, id="year 10000"),
        pytest.param(LogOptions(tail_lines=MAX_INT64, limit_bytes=MAX_INT64), 0, id="large numbers"),
        pytest.param(LogOptions(tail_lines=0, limit_bytes=1), 0, id="small numbers"),
    ],
)
def test_no_log_option_makes_a_request_that_agents_refuse(options: LogOptions, since: int) -> None:
    request = log_request(options, NOW)
    request.pod_uid = "u"
    assert checks.logs(request) == ""
    assert request.since_unix_s == since
    assert request.since_s == min(options.since_seconds or 0, checks.YEAR_10000 - 1)


def test_a_time_that_cannot_be_read_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="sinceTime"):
        log_request(LogOptions(since_time="yesterday"), NOW)


def test_both_sides_know_the_same_words() -> None:
    assert {"", *map(str, RestartPolicy)} == checks.RESTART_POLICIES
    assert {"", *map(str, PullPolicy)} == checks.PULL_POLICIES
    assert {"", *map(str, PodPhase)} == checks.PHASES
