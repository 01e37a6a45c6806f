"""The node: network before pods, conditions, reported repairs, and a complete clean-up when leaving."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from agent import host, model
from agent.desired import disk
from agent.runtime.versions import RuntimeVersion
from netstack.desired import Repair
from proto.gen import desired_pb2 as pb
from proto.gen.session_pb2 import Cut
from tests.fakes.sessions import until
from tests.unit.agent.bench import CONFIG, Bench, a_pod, snapshot
from tests.unit.agent.fakes import HandClock

pytestmark = pytest.mark.timeout(20)


async def test_the_network_of_a_cut_is_applied_before_its_pods(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        assert bench.ready()[0] == "False"
        bench.receive(
            snapshot(pods=[a_pod("a")], peers=[pb.Peer(name="b", address="10.0.0.2", pod_cidr="10.244.2.0/24")])
        )
        await until(lambda: bench.node.beat().applied_revision == 5)
        await until(lambda: len(bench.log) > 2)
        assert bench.log[:3] == ["network of 1 peers", "pods ['a']", "retain ['a']"]
        assert bench.ready()[0] == "True"
        bench.receive(Cut(base_revision=5, revision=6, last=True, pods=[a_pod("b")]))
        await until(lambda: bench.node.beat().applied_revision == 6)
        assert bench.log[3:] == ["pods ['a', 'b']"]


async def test_a_network_that_fails_keeps_the_node_from_being_ready_but_not_the_pods(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.net.broken = True
    async with bench.running():
        bench.receive(snapshot(pods=[a_pod("a")]))
        await until(lambda: bench.pods.desired)
        await until(lambda: "holds the lock" in bench.ready()[1])
        assert bench.node.beat().applied_revision == 0
        bench.net.broken = False
        await until(lambda: bench.ready()[0] == "True")
        assert bench.node.beat().applied_revision == 5


async def test_a_node_starts_its_pods_without_a_master(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    async with first.running():
        first.receive(snapshot(pods=[a_pod("a")]))
        await until(lambda: disk.read(tmp_path, "cluster", "node-1"))
    second = Bench(tmp_path)
    async with second.running():
        await until(lambda: second.pods.desired and second.pods.desired.pods)
        assert not second.pods.complete
        assert not any(line.startswith("retain") for line in second.log)
        assert second.net.state is not None


async def test_a_full_disk_is_reported_as_disk_pressure_until_it_is_writable(tmp_path: Path) -> None:
    in_the_way = tmp_path / f".{disk.NAME}.new"
    in_the_way.mkdir()
    bench = Bench(tmp_path)

    def pressure() -> str:
        return next(condition.message for condition in bench.node.beat().conditions if condition.type == "DiskPressure")

    async with bench.running():
        bench.receive(snapshot(pods=[a_pod("a")]))
        await until(lambda: "cannot be kept on disk: [Errno 21] Is a directory" in pressure())
        await until(lambda: bench.ready()[0] == "True")
        assert bench.pods.desired is not None and set(bench.pods.desired.pods) == {"a"}
        in_the_way.rmdir()
        await until(lambda: "cannot be kept" not in pressure())
        kept = disk.read(tmp_path, "cluster", "node-1")
        assert kept is not None and [kept_pod.uid for kept_pod in kept.pods] == ["a"]


async def test_a_repair_is_reported_as_an_event(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        bench.net.repairs = (Repair("rules", "chain SAMPAN-SERVICES was missing"),)
        (event,) = await until(bench.reports.take_events)
        assert (event.kind, event.name, event.reason, event.type) == ("Node", "node-1", "NetworkMended", "Warning")


async def test_a_failure_of_dns_is_reported_as_an_event(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.node.dns_failed("ended: [Errno 98] Address already in use")
    [event] = bench.reports.take_events()
    assert (event.kind, event.name, event.reason, event.type) == ("Node", "node-1", "DNSFailed", "Warning")
    assert event.message == "the process of the node's DNS ended: [Errno 98] Address already in use"


async def test_a_port_that_cannot_be_opened_is_reported_as_an_event(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.node.port_not_open("no file descriptors")
    [event] = bench.reports.take_events()
    assert (event.kind, event.name, event.reason, event.type) == ("Node", "node-1", "CannotOpenPort", "Warning")
    assert event.message == "no file descriptors"


async def test_a_failing_audit_makes_the_node_unready_until_one_succeeds(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        bench.net.audit_broken = True
        await until(lambda: "cannot be audited" in bench.ready()[1])
        bench.net.audit_broken = False
        await until(lambda: bench.ready()[0] == "True")


async def test_a_new_node_address_alone_reconfigures_the_network(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        moved = pb.NodeConfig()
        moved.CopyFrom(CONFIG)
        moved.node_address = "10.0.0.99"
        bench.receive(Cut(base_revision=5, revision=6, last=True, node=moved))
        await until(lambda: bench.node.beat().applied_revision == 6)
        assert bench.settings[-1].node_address == IPv4Address("10.0.0.99")
        assert bench.log.count("network of 0 peers") == 2


async def test_a_hanging_engine_makes_the_node_unready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.node.ENGINE_PATIENCE_S", 0.05)
    bench = Bench(tmp_path)

    async def hang() -> RuntimeVersion:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(bench.node._runtime, "version", hang)
    async with bench.running():
        assert "no reply within" in bench.ready()[1]
        monkeypatch.undo()
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")


@pytest.mark.parametrize(("call_s", "problem"), [(10.0, ""), (25.0, "no reply within 20 s")], ids=["slow", "hanging"])
async def test_an_engine_that_takes_10_s_for_each_call_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call_s: float, problem: str
) -> None:
    clock = HandClock()
    bench = Bench(tmp_path, clock)

    async def slow() -> RuntimeVersion:
        await clock.sleep(call_s)
        return RuntimeVersion("slow", "1")

    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        monkeypatch.setattr(bench.node._runtime, "version", slow)
        messages = []
        for _ in range(30):
            await clock.advance(5)
            messages.append(bench.ready()[1] if bench.ready()[0] == "False" else "")
        assert any(messages) == bool(problem) and problem in messages[-1]


async def test_a_bug_in_applying_is_logged_once_and_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    tries = 0

    def failing() -> object:
        nonlocal tries
        tries += 1
        raise KeyError("a bug of ours")

    monkeypatch.setattr(bench.desired, "for_pods", failing)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: tries > 2)
        assert caplog.text.count("desired state of revision 5: 'a bug of ours'") == 1
        monkeypatch.undo()
        await until(lambda: bench.ready()[0] == "True")


async def test_leaving_removes_the_pods_first_and_the_network_last(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot(pods=[a_pod("a")]))
        await until(lambda: "retain ['a']" in bench.log)
        bench.desired.receive(Cut(snapshot=True, revision=9, last=True))
        await bench.node.leave()
        assert bench.log[-3:] == ["pods []", "dns stopped", "teardown"]


async def test_a_node_that_lost_its_state_can_still_leave(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.desired.receive(Cut(snapshot=True, revision=9, last=True))
        await bench.node.leave()
        assert bench.log == ["pods []", "dns stopped", "teardown"]
        assert bench.settings[0].node_address == IPv4Address("10.0.0.1")


async def test_a_node_with_an_address_for_dns_answers_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    config = pb.NodeConfig()
    config.CopyFrom(CONFIG)
    config.cluster_domain, config.cluster_dns = "cluster.local", "10.96.0.10"
    async with bench.running():
        bench.receive(Cut(snapshot=True, revision=1, last=True, node=config))
        await until(lambda: bench.ready()[0] == "True")
        assert bench.dns.content is not None
        assert bench.dns.content.settings.address == IPv4Address("10.96.0.10")
        assert bench.net.state is not None and bench.net.state.dns == IPv4Address("10.96.0.10")
        assert bench.pods.desired is not None
        assert bench.pods.desired.dns == model.ClusterDns("cluster.local", "10.96.0.10")


async def test_a_node_of_an_older_master_answers_no_dns(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        assert bench.dns.content is None
        assert bench.net.state is not None and bench.net.state.dns is None


async def test_the_content_of_hello(tmp_path: Path) -> None:
    info, capacity = await Bench(tmp_path).node.describe()
    assert (info.address, info.hostname, info.operating_system) == ("10.0.0.1", "node-1", "linux")
    assert info.machine_id
    assert list(info.addresses) == host.addresses() and "127.0.0.1" not in info.addresses
    assert info.agent_version == host.agent_version() != "v"
    assert capacity.pods == 110
    assert capacity.cpu_millis >= 1000
    assert capacity.memory_bytes > 0


async def test_the_node_measures_itself_while_it_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.node.usage().at == 0.0
    async with bench.running():
        await until(lambda: bench.node.usage().at)
    assert bench.node.usage().machine.cores == 2


def test_a_node_whose_host_shuts_down_is_not_ready(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.node.shutting_down()
    ready = next(condition for condition in bench.node.beat().conditions if condition.type == "Ready")
    assert ready.status == "False" and ready.message.startswith("node is shutting down")
    assert bench.node.beat_now.is_set()
