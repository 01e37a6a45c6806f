"""Invalid messages of a node: refused with the reason, logged once, and nothing of them is stored.

A report is refused as a whole when its structure is invalid. An invalid status or event is dropped alone, because the
other ones are valid and sending it again would not help.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from master import kinds
from master.dispatch.sanity import MAX_CONDITIONS
from proto import contract
from proto.gen import observed_pb2, session_pb2
from tests.fakes.hostile import METHODS, Bystander, RawPeer, hello, revisions, told_within
from tests.fakes.hostile_messages import changed, pod_status, uid
from tests.fakes.sessions import MasterEnd, until

pytestmark = pytest.mark.timeout(60)

Condition, ContainerStatus, PodStatus = observed_pb2.Condition, observed_pb2.ContainerStatus, observed_pb2.PodStatus
YEAR_1, YEAR_9999, YEAR_10000 = -62_135_596_800, 253_402_300_799, 253_402_300_800


def _addresses(number: int) -> session_pb2.HelloRequest:
    request = hello()
    request.node.addresses.extend(["10.0.0.1"] * number)
    return request


def _labels(number: int) -> session_pb2.HelloRequest:
    request = hello()
    request.node.labels.update({f"key-{index}": "x" for index in range(number)})
    return request


HELLOS = [
    pytest.param(changed(hello(), protocol_version=0), "version 0 of the protocol", id="older protocol"),
    pytest.param(changed(hello(), protocol_version=4), "version 4 of the protocol", id="newer protocol"),
    pytest.param(changed(hello(), protocol_version=2**32 - 1), "version 4294967295", id="absurd protocol"),
    pytest.param(changed(hello(), node__machine_id=""), "node.machine_id: required", id="no machine"),
    pytest.param(changed(hello(), node__machine_id="m" * 100_000), "node.machine_id: longer", id="endless machine"),
    pytest.param(changed(hello(), node__kernel_version="5" * 2000), "node.kernel_version: longer", id="endless kernel"),
    pytest.param(changed(hello(), node__address=""), "node.address", id="no address"),
    pytest.param(changed(hello(), node__address="nowhere"), "node.address", id="not an IP address"),
    pytest.param(changed(hello(), node__address="127.0.0.1"), "may not be unspecified, loopback", id="loopback"),
    pytest.param(changed(hello(), node__address="0.0.0.0"), "may not be unspecified", id="unspecified address"),
    pytest.param(_labels(100), "node.labels: more than 64", id="many labels"),
    pytest.param(_addresses(200_000), "node.addresses: more than 1024", id="many addresses"),
    pytest.param(changed(hello(), capacity__cpu_millis=-1), "capacity.cpu_millis: -1 is negative", id="cpu -1"),
    pytest.param(changed(hello(), capacity__memory_bytes=-(2**63)), "capacity.memory_bytes", id="memory 2^63"),
    pytest.param(changed(hello(), capacity__pods=-5), "capacity.pods: -5", id="pods -5"),
]


@pytest.mark.parametrize(("request_", "says"), HELLOS)
async def test_an_invalid_hello_opens_no_session(
    master: MasterEnd,
    other: Bystander,
    peer: RawPeer,
    caplog: pytest.LogCaptureFixture,
    request_: session_pb2.HelloRequest,
    says: str,
) -> None:
    session, before = await peer.hello(), revisions(master)
    with told_within(caplog, 0):
        for _ in range(20):
            status, why = await peer.call("Hello", request_.SerializeToString())
            assert status == "INVALID_ARGUMENT"
            assert says in str(why)
    assert caplog.text.count("node hostile") == 1
    current = master.sessions.current("hostile")
    assert current is not None and current.id == session, "an invalid Hello does not end a session"
    assert revisions(master) == before
    other.check()


def _condition(**values: Any) -> session_pb2.HeartbeatRequest:
    condition = changed(Condition(type="Ready", status="True"), **values)
    return session_pb2.HeartbeatRequest(conditions=[condition])


def _many_conditions(number: int) -> session_pb2.HeartbeatRequest:
    conditions = [Condition(type=f"C{index}", status="True") for index in range(number)]
    return session_pb2.HeartbeatRequest(conditions=conditions)


def _usages(pods: int = 1, containers: int = 1, uid: str = "u", **values: Any) -> session_pb2.HeartbeatRequest:
    used = observed_pb2.ContainerUsage(**{"name": "main", **values})
    pod = observed_pb2.PodUsage(uid=uid, containers=[used] * containers)
    return session_pb2.HeartbeatRequest(pod_usages=observed_pb2.PodUsages(pods=[pod] * pods))


HEARTBEATS = [
    pytest.param(_usages(pods=1001), "1001 pods in one report", id="usages of many pods"),
    pytest.param(_usages(pods=101, containers=100), "10100 containers", id="usages of many containers"),
    pytest.param(_usages(uid="x" * 100_000), "pod_usages: a uid or a name", id="usage with an endless uid"),
    pytest.param(_usages(name="x" * 100_000), "pod_usages: a uid or a name", id="usage with an endless name"),
    pytest.param(_usages(cpu_nano_cores=-1), "pod_usages: a negative amount", id="usage of cpu -1"),
    pytest.param(_usages(memory_bytes=-(2**63)), "pod_usages: a negative amount", id="usage of memory 2^63"),
    pytest.param(_condition(type=""), "type ''", id="condition without type"),
    pytest.param(_condition(type="a b"), "type 'a b'", id="condition type"),
    pytest.param(_condition(type="x" * 100_000), "conditions: type", id="endless condition type"),
    pytest.param(_condition(status="Maybe"), "status 'Maybe' is not one of True, False", id="condition status"),
    pytest.param(_condition(last_transition_time__seconds=YEAR_1), "outside the years", id="year 1"),
    pytest.param(_condition(last_transition_time__seconds=YEAR_10000), "outside the years", id="year 10000"),
    pytest.param(_condition(last_transition_time__nanos=-1), "outside the years", id="negative nanoseconds"),
    pytest.param(_many_conditions(200_000), "conditions: 200000, at most 32", id="200,000 conditions"),
    pytest.param(
        session_pb2.HeartbeatRequest(capacity=observed_pb2.Capacity(cpu_millis=-1)), "capacity.cpu_millis", id="cpu -1"
    ),
    pytest.param(
        session_pb2.HeartbeatRequest(capacity=observed_pb2.Capacity(cpu_millis=1, pods=-(2**63))),
        "capacity.pods",
        id="pods 2^63",
    ),
    pytest.param(
        session_pb2.HeartbeatRequest(usage=observed_pb2.Usage(memory_bytes=-1)), "usage.memory_bytes", id="memory -1"
    ),
]


@pytest.mark.parametrize(("request_", "says"), HEARTBEATS)
async def test_an_invalid_heartbeat_changes_no_node(
    master: MasterEnd, other: Bystander, peer: RawPeer, request_: session_pb2.HeartbeatRequest, says: str
) -> None:
    request_.session_id = await peer.hello()
    before = revisions(master)
    status, why = await peer.call("Heartbeat", request_.SerializeToString())
    assert (status, says in str(why)) == ("INVALID_ARGUMENT", True), why
    assert revisions(master) == before
    good = session_pb2.HeartbeatRequest(session_id=request_.session_id, applied_revision=2**64 - 1)
    assert (await peer.call("Heartbeat", good.SerializeToString()))[0] == "OK", "the session goes on"
    other.check()


async def test_the_number_of_conditions_is_limited(master: MasterEnd, peer: RawPeer) -> None:
    session = await peer.hello()
    outcomes = []
    for number in range(MAX_CONDITIONS + 10):
        condition = Condition(type=f"C{number}", status="True", message="x" * 100_000)
        beat = session_pb2.HeartbeatRequest(session_id=session, conditions=[condition])
        outcomes.append((await peer.call("Heartbeat", beat.SerializeToString()))[0])
    assert outcomes[-1] == "INVALID_ARGUMENT"
    conditions = master.node("hostile").status.conditions
    assert len(conditions) == MAX_CONDITIONS
    assert max(len(condition.message) for condition in conditions) <= 32 << 10


def _container(**values: Any) -> observed_pb2.PodStatus:
    status = pod_status()
    changed(status.container_statuses[0], **values)
    return status


def _two(*names: str) -> observed_pb2.PodStatus:
    status = pod_status()
    status.container_statuses.extend(ContainerStatus(name=name) for name in names)
    return status


def _conditions(number: int) -> observed_pb2.PodStatus:
    status = pod_status()
    status.conditions.extend(Condition(type=f"C{index}", status="True") for index in range(number))
    return status


STATUSES = [
    pytest.param(pod_status(phase="Flying"), "phase: 'Flying'", id="phase"),
    pytest.param(pod_status(pod_ip="everywhere"), "pod_ip: 'everywhere' is not an IP address", id="pod address"),
    pytest.param(pod_status(host_ip="10.0.0.300"), "host_ip", id="host address"),
    pytest.param(pod_status(start_time__seconds=YEAR_1), "start_time", id="start in the year 1"),
    pytest.param(pod_status(start_time__seconds=YEAR_10000), "start_time", id="start in the year 10000"),
    pytest.param(pod_status(start_time__seconds=2**63 - 1), "start_time", id="start at the end of time"),
    pytest.param(_conditions(200_000), "conditions: 200000, at most 32", id="200,000 conditions"),
    pytest.param(_two("app"), "a container that the pod does not have", id="container twice"),
    pytest.param(_two("sidecar"), "a container that the pod does not have", id="container of no pod"),
    pytest.param(_container(restart_count=-1), "restart_count: -1", id="restarts -1"),
    pytest.param(_container(image="x" * 5000), "image: longer", id="endless image"),
    pytest.param(_container(state__running__started_at__seconds=YEAR_1), "running.started_at", id="running since 1"),
    pytest.param(_container(last_state__terminated__finished_at__seconds=2**62), "terminated.finished_at", id="ended"),
]


@pytest.mark.parametrize(("status", "says"), STATUSES)
async def test_an_invalid_status_is_dropped_alone_and_logged_once(
    master: MasterEnd,
    other: Bystander,
    peer: RawPeer,
    caplog: pytest.LogCaptureFixture,
    status: observed_pb2.PodStatus,
    says: str,
) -> None:
    session, before = await peer.hello(), revisions(master)
    status.uid = uid(master, "web")
    report = session_pb2.PodReport(session_id=session, pods=[status]).SerializeToString()
    with told_within(caplog, 1, of="node hostile: report of pod default/web refused"):
        for _ in range(3):
            assert await peer.call("ReportPods", report) == ("OK", b"")
    assert says in caplog.text
    assert revisions(master) == before
    good = pod_status(uid=status.uid, start_time__seconds=YEAR_9999)
    await peer.call("ReportPods", session_pb2.PodReport(session_id=session, pods=[good]).SerializeToString())
    pod = master.cache.get(kinds.POD, "default", "web")
    assert pod is not None
    assert (pod.status.phase, pod.status.start_time) == ("Running", "9999-12-31T23:59:59Z")
    other.check(ignore=("pods/default/web",))


async def test_long_texts_are_truncated(master: MasterEnd, peer: RawPeer) -> None:
    session = await peer.hello()
    status = pod_status(uid=uid(master, "web"), message="x" * 1_000_000, reason="y" * 1_000_000)
    changed(status.container_statuses[0], state__waiting__message="z" * 1_000_000)
    report = session_pb2.PodReport(session_id=session, pods=[status])
    assert (await peer.call("ReportPods", report.SerializeToString()))[0] == "OK"
    value = await master.store.get("/registry/pods/default/web")
    assert value is not None and len(value.value) < 100_000


async def test_pods_of_other_nodes_are_unknown(master: MasterEnd, other: Bystander, peer: RawPeer) -> None:
    session, before = await peer.hello(), revisions(master)
    theirs, web = uid(master, "theirs"), uid(master, "web")
    wrong = [
        PodStatus(uid=theirs, namespace="default", name="theirs", phase="Failed"),
        PodStatus(uid=web, namespace="default", name="theirs", phase="Failed"),
        PodStatus(uid=theirs + "x", namespace="default", name="web", phase="Failed"),
        PodStatus(uid="removed", namespace="default", name="theirs", removed=True),
        PodStatus(uid="gone", namespace="nowhere", name="gone", phase="Failed"),
        PodStatus(),
    ]
    report = session_pb2.PodReport(session_id=session, pods=wrong)
    status, reply = await peer.call("ReportPods", report.SerializeToString())
    assert status == "OK" and isinstance(reply, bytes)
    assert set(session_pb2.PodReportReply.FromString(reply).unknown) == {status.uid for status in wrong}
    assert revisions(master) == before
    other.check()


async def test_the_last_status_of_a_pod_counts(master: MasterEnd, peer: RawPeer) -> None:
    session, web = await peer.hello(), uid(master, "web")
    pods = [pod_status(uid=web, reason=f"word {number}") for number in range(50)]
    await peer.call("ReportPods", session_pb2.PodReport(session_id=session, pods=pods).SerializeToString())
    pod = master.cache.get(kinds.POD, "default", "web")
    assert pod is not None and pod.status.reason == "word 49"


async def test_a_late_report_of_an_ended_session_is_refused(
    master: MasterEnd, peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report arrives, and is committed only after the node has opened another session."""
    session, web = await peer.hello(), uid(master, "web")
    mutate = master.resources.mutate

    async def late(*arguments: Any, **named: Any) -> Any:
        monkeypatch.undo()
        await peer.hello()
        return await mutate(*arguments, **named)

    monkeypatch.setattr(master.resources, "mutate", late)
    report = session_pb2.PodReport(session_id=session, pods=[pod_status(uid=web)])
    status, why = await peer.call("ReportPods", report.SerializeToString())
    assert (status, "has ended" in str(why)) == ("FAILED_PRECONDITION", True)
    pod = master.cache.get(kinds.POD, "default", "web")
    assert pod is not None and pod.status.phase == "Pending"


@pytest.mark.parametrize(
    ("method", "report"),
    [
        pytest.param("ReportPods", session_pb2.PodReport(pods=[PodStatus()] * 100_000), id="statuses"),
        pytest.param("ReportEvents", session_pb2.EventReport(events=[observed_pb2.Event()] * 100_000), id="events"),
    ],
)
async def test_a_report_of_100_000_items_is_refused(
    other: Bystander, peer: RawPeer, method: str, report: session_pb2.PodReport | session_pb2.EventReport
) -> None:
    report.session_id = await peer.hello()
    status, why = await peer.call(method, report.SerializeToString())
    assert (status, f"at most {contract.MAX_REPORTED}" in str(why)) == ("INVALID_ARGUMENT", True)
    other.check()


EVENTS = [
    pytest.param(observed_pb2.Event(kind="Pod", namespace="default", name="theirs", uid="(theirs)"), id="another's"),
    pytest.param(observed_pb2.Event(kind="Secret", namespace="kube-system", name="x"), id="kind"),
    pytest.param(observed_pb2.Event(), id="empty"),
    pytest.param(observed_pb2.Event(kind="Node", time=Timestamp(seconds=YEAR_1)), id="year 1"),
    pytest.param(observed_pb2.Event(kind="Node", time=Timestamp(seconds=2**63 - 1)), id="end of time"),
    pytest.param(observed_pb2.Event(kind="Node", reason="r" * 100_000), id="endless reason"),
    pytest.param(observed_pb2.Event(kind="Pod", namespace="n" * 100_000, name="x"), id="endless namespace"),
    pytest.param(observed_pb2.Event(kind="Pod", namespace="nowhere", name="x", uid="u"), id="no such namespace"),
    pytest.param(observed_pb2.Event(kind="Pod", namespace="default", name="A/../b", uid="u"), id="no name"),
]


@pytest.mark.parametrize("event", EVENTS)
async def test_an_invalid_event_is_dropped_alone(
    master: MasterEnd, other: Bystander, peer: RawPeer, caplog: pytest.LogCaptureFixture, event: observed_pb2.Event
) -> None:
    session = await peer.hello()
    if event.uid == "(theirs)":
        event.uid = uid(master, "theirs")
    good = observed_pb2.Event(kind="Node", reason="Fine", message="m", type="Normal")
    report = session_pb2.EventReport(session_id=session, events=[event, good]).SerializeToString()
    with told_within(caplog, 1, of="node hostile"):
        for _ in range(10):
            assert (await peer.call("ReportEvents", report))[0] == "OK"
        await until(lambda: [event for event in master.cache.list(kinds.EVENT) if event.reason == "Fine"])
    assert {event.reason for event in master.cache.list(kinds.EVENT)} == {"Fine"}
    other.check()


CSRS = [
    pytest.param("", id="nothing"),
    pytest.param("x" * 1_000_000, id="noise"),
    pytest.param("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", id="short"),
]


@pytest.mark.parametrize("csr", CSRS)
async def test_a_renewal_without_a_request_is_refused(
    master: MasterEnd, other: Bystander, peer: RawPeer, csr: str
) -> None:
    before = revisions(master)
    status, why = await peer.call("RenewCertificate", session_pb2.RenewRequest(csr=csr).SerializeToString())
    assert (status, "cannot be read" in str(why)) == ("INVALID_ARGUMENT", True)
    assert revisions(master) == before
    other.check()


UNREADABLE = [
    pytest.param(b"\xff", id="half a tag"),
    pytest.param(b"\x0a\xff\xff\xff\xff\x0f", id="4 GiB of a field"),
    pytest.param(b"\x0b" * 200, id="groups in groups"),
    # Field 2 is text, or messages of text, in all of these; 0xff is not UTF-8.
    pytest.param(b"\x0a\x02\xff\xfe\x12\x02\xff\xfe", id="not UTF-8"),
    pytest.param(random.Random(3).randbytes(5000), id="noise"),
]


@pytest.mark.parametrize("raw", UNREADABLE)
async def test_an_undecodable_message_is_refused_on_every_call_and_logged_once(
    master: MasterEnd, other: Bystander, peer: RawPeer, caplog: pytest.LogCaptureFixture, raw: bytes
) -> None:
    before = revisions(master)
    with told_within(caplog, 0):
        for method in METHODS * 5:
            status, why = await peer.call(method, raw)
            assert status in ("INVALID_ARGUMENT", "FAILED_PRECONDITION"), (method, status, why)
        status, why = await peer.first_of("Desired", raw)
        assert status in ("INVALID_ARGUMENT", "FAILED_PRECONDITION"), why
    assert caplog.text.count("not a valid HelloRequest") == 1
    assert "Traceback" not in caplog.text
    assert revisions(master) == before
    other.check()
