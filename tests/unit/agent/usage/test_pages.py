"""The pages about usage: the kubelet's summary, and metrics that Prometheus' own parser reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.usage.cadvisor import Facts
from agent.usage.exposition import Family, Sample, text
from agent.usage.figures import Cgroup, ContainerUsage, Counters, Machine, PodUsage, Snapshot, Space, Traffic
from agent.usage.ownmetrics import Process, of_this_process
from agent.usage.pages import PAGES, State
from agent.usage.targets import ContainerTarget, PodTarget, VolumeTarget

MI = 1 << 20
PAUSE = ContainerTarget("", "5" * 64, "sampan_u1_POD_0", "pause:1", started_at=900.5)
APP = ContainerTarget(
    "app", "a" * 64, "sampan_u1_app_0", "web:1", started_at=901.0, cpu_limit_millis=250, memory_limit_bytes=64 * MI
)
LOG = ContainerTarget("log", "b" * 64, "sampan_u1_log_0", "log:1", started_at=902.0)
DISK = Space(1000.0, capacity_bytes=1000, available_bytes=600, inodes=100, inodes_free=70)
TRAFFIC = Traffic(Counters(5000, 50, 1, 2), Counters(7000, 70, 3, 4))


def usage(target: ContainerTarget, scale: int, **more: Any) -> ContainerUsage:
    cgroup = Cgroup(
        cpu_ns=scale * 1_500_000_000,
        cpu_system_ns=scale * 500_000_000,
        periods=40,
        throttled_periods=3,
        throttled_ns=1_500_000_000,
        memory_bytes=scale * 10 * MI,
        working_set_bytes=scale * 8 * MI,
        rss_bytes=scale * 4 * MI,
        cache_bytes=scale * 6 * MI,
        swap_bytes=scale * 4096,
        faults=900,
        major_faults=9,
        threads=scale,
        oom_kills=2,
    )
    return ContainerUsage(target, 1000.25, cgroup, f"/docker/{target.id}", cpu_nano_cores=scale * 1000, **more)


APP_USAGE = usage(
    APP, 2, logs=replace(DISK, used_bytes=20, inodes_used=1), layer=replace(DISK, used_bytes=30, inodes_used=4)
)
VOLUMES = (
    VolumeTarget("data", Path("/data"), ephemeral=True),
    VolumeTarget("tmp", Path("/tmp")),
    VolumeTarget("kept", Path("/kept")),
    VolumeTarget("new", Path("/new"), ephemeral=True),
)
POD = PodUsage(
    PodTarget("u1", "default", 'we"b', 900.0, sandbox=PAUSE, containers=(APP, LOG), volumes=VOLUMES),
    sandbox=usage(PAUSE, 1),
    containers=(APP_USAGE, usage(LOG, 3)),
    traffic=TRAFFIC,
    volumes={name: replace(DISK, used_bytes=50, inodes_used=5) for name in ("data", "tmp", "kept")},
)
HOST = PodUsage(
    PodTarget("u2", "kube-system", "agent", 0.0, host_network=True, containers=(LOG,)),
    containers=(replace(usage(LOG, 1), cpu_nano_cores=None),),
)
NOTHING = PodUsage(PodTarget("u3", "default", "just-ended", 0.0))
MACHINE = Machine(
    at=1000.0,
    booted_at=100,
    cores=2,
    cpu_ns=90_000_000_000,
    cpu_nano_cores=700_000_000,
    memory_total_bytes=1000 * MI,
    memory=Cgroup(memory_bytes=600 * MI, working_set_bytes=400 * MI, rss_bytes=150 * MI, swap_bytes=10 * MI, faults=7),
    swap_total_bytes=100 * MI,
    processes=345,
    max_processes=32768,
    links={"lo": Traffic(), "eth0": TRAFFIC},
    default_link="eth0",
    state=replace(DISK, used_bytes=400, inodes_used=30),
    images=replace(DISK, used_bytes=401, inodes_used=31),
)
STATE = State(
    Snapshot("node-1", 1000.0, 5.0, 10.0, MACHINE, (POD, HOST, NOTHING)),
    Facts("machine-1", "boot-1"),
    Process("v9.9.9", 50.0, 1.5, 40 * MI, 90 * MI, 12, 1024, 7),
)
EMPTY = State(Snapshot("node-1"), Facts(), Process())


def summary(state: State = STATE, parameters: str = "") -> dict[str, Any]:
    page = PAGES["/stats/summary"](state, parameters)
    assert page.content_type == "application/json"
    return dict(json.loads(page.body))


def metrics(path: str, state: State = STATE) -> dict[tuple[str, ...], tuple[float, float | None]]:
    """Value and time by name and the values of labels, these in the order of the labels' names."""
    page = PAGES[path](state, "")
    assert page.content_type == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[tuple[str, ...], tuple[float, float | None]] = {}
    for family in text_string_to_metric_families(page.body.decode()):
        assert family.documentation and family.type in ("counter", "gauge")
        for sample in family.samples:
            key = (sample.name, *(value for _, value in sorted(sample.labels.items())))
            assert key not in found, "a series that is there twice"
            found[key] = (sample.value, float(sample.timestamp) if sample.timestamp is not None else None)
    return found


# --- the summary ------------------------------------------------------------------------------------------------------

TIME = "1970-01-01T00:16:40Z"
SPACE = {"time": TIME, "capacityBytes": 1000, "availableBytes": 600, "inodes": 100, "inodesFree": 70}
LINK = {"rxBytes": 5000, "rxErrors": 1, "txBytes": 7000, "txErrors": 3}


def test_the_summary_of_the_node() -> None:
    node = summary()["node"]
    assert (node["nodeName"], node["startTime"]) == ("node-1", "1970-01-01T00:01:40Z")
    assert node["cpu"] == {"time": TIME, "usageNanoCores": 700_000_000, "usageCoreNanoSeconds": 90_000_000_000}
    assert node["memory"] == {
        "time": TIME,
        "availableBytes": 600 * MI,
        "usageBytes": 600 * MI,
        "workingSetBytes": 400 * MI,
        "rssBytes": 150 * MI,
        "pageFaults": 7,
        "majorPageFaults": 0,
    }
    assert node["network"]["name"] == "eth0" and node["network"]["rxBytes"] == 5000
    assert [link["name"] for link in node["network"]["interfaces"]] == ["lo", "eth0"]
    assert node["fs"] == {**SPACE, "usedBytes": 400, "inodesUsed": 30}
    assert node["runtime"]["imageFs"] == node["runtime"]["containerFs"] == {**SPACE, "usedBytes": 401, "inodesUsed": 31}
    assert node["rlimit"] == {"time": TIME, "maxpid": 32768, "curproc": 345}
    assert node["swap"] == {"time": TIME, "swapAvailableBytes": 90 * MI, "swapUsageBytes": 10 * MI}


def test_the_summary_of_a_pod() -> None:
    pod, host = summary()["pods"]
    assert pod["podRef"] == {"name": 'we"b', "namespace": "default", "uid": "u1"}
    assert pod["startTime"] == "1970-01-01T00:15:00Z"
    assert pod["cpu"] == {"time": TIME, "usageNanoCores": 6000, "usageCoreNanoSeconds": 9_000_000_000}
    assert pod["memory"]["workingSetBytes"] == 48 * MI
    assert "availableBytes" not in pod["memory"], "a container has no limit"
    assert pod["network"] == {"time": TIME, "name": "eth0", **LINK, "interfaces": [{"name": "eth0", **LINK}]}
    assert [volume["name"] for volume in pod["volume"]] == ["data", "tmp", "kept"]
    assert pod["volume"][0] == {**SPACE, "usedBytes": 50, "inodesUsed": 5, "name": "data"}
    assert pod["ephemeral-storage"] == {**SPACE, "usedBytes": 20 + 30 + 50, "inodesUsed": 1 + 4 + 5}
    assert pod["process_stats"] == {"process_count": 6}
    assert "network" not in host and "ephemeral-storage" not in host and "volume" not in host
    assert "usageNanoCores" not in host["cpu"]


def test_the_summary_of_a_container() -> None:
    app, log = summary()["pods"][0]["containers"]
    assert (app["name"], app["startTime"]) == ("app", "1970-01-01T00:15:01Z")
    assert app["cpu"] == {"time": TIME, "usageNanoCores": 2000, "usageCoreNanoSeconds": 3_000_000_000}
    assert app["memory"]["availableBytes"] == 48 * MI and app["memory"]["majorPageFaults"] == 9
    assert app["logs"] == {**SPACE, "usedBytes": 20, "inodesUsed": 1}
    assert app["rootfs"]["usedBytes"] == 30
    assert log.keys() == {"name", "startTime", "cpu", "memory", "swap"}


FIELDS = {
    "cpu": {"time", "usageNanoCores", "usageCoreNanoSeconds"},
    "memory": {
        *("time", "availableBytes", "usageBytes", "workingSetBytes", "rssBytes", "pageFaults", "majorPageFaults"),
    },
    "swap": {"time", "swapAvailableBytes", "swapUsageBytes"},
    "node": {
        *("nodeName", "systemContainers", "startTime", "cpu", "memory", "network", "fs", "runtime", "rlimit", "swap"),
    },
    "pod": {
        *("podRef", "startTime", "containers", "cpu", "memory", "network", "volume", "ephemeral-storage"),
        *("process_stats", "swap"),
    },
    "container": {"name", "startTime", "cpu", "memory", "rootfs", "logs", "swap"},
}
"""The fields of the types in stats/v1alpha1."""


def test_no_field_is_one_that_kubernetes_does_not_have() -> None:
    document = summary()
    assert document.keys() == {"node", "pods"}
    parts = [("node", document["node"]), *(("pod", pod) for pod in document["pods"])]
    parts += [("container", container) for pod in document["pods"] for container in pod["containers"]]
    for kind, part in parts:
        assert part.keys() <= FIELDS[kind]
        for name in ("cpu", "memory", "swap"):
            assert part[name].keys() <= FIELDS[name]


@pytest.mark.parametrize("value", ["true", "1", "T"])
def test_the_summary_of_processor_and_memory_only(value: str) -> None:
    document = summary(parameters=f"other=x&only_cpu_and_memory={value}")
    assert document["node"].keys() == {"nodeName", "startTime", "cpu", "memory", "swap"}
    pod = document["pods"][0]
    assert pod.keys() == {"podRef", "startTime", "containers", "cpu", "memory", "swap"}
    assert pod["containers"][0].keys() == {"name", "startTime", "cpu", "memory", "swap"}
    assert "fs" in summary(parameters="only_cpu_and_memory=false")["node"]


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_resource_metrics() -> None:
    found = metrics("/metrics/resource")
    assert found[("node_cpu_usage_seconds_total",)] == (90.0, 1000.0)
    assert found[("node_memory_working_set_bytes",)] == (400 * MI, 1000.0)
    assert found[("container_cpu_usage_seconds_total", "app", "default", 'we"b')] == (3.0, 1000.25)
    assert found[("container_memory_working_set_bytes", "app", "default", 'we"b')][0] == 16 * MI
    assert found[("container_start_time_seconds", "app", "default", 'we"b')] == (901.0, None)
    assert found[("pod_cpu_usage_seconds_total", "default", 'we"b')] == (9.0, 1000.25)
    assert found[("pod_memory_working_set_bytes", "default", 'we"b')][0] == 48 * MI
    assert found[("resource_scrape_error",)] == (0.0, None)


def by_labels(name: str, **labels: str) -> Iterator[float]:
    """The values of the series with these labels among others."""
    body = PAGES["/metrics/cadvisor"](STATE, "").body.decode()
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample.value


def test_cadvisors_metrics_have_its_labels() -> None:
    found = metrics("/metrics/cadvisor")
    where = (f"/docker/{APP.id}", "web:1", "sampan_u1_app_0", "default", 'we"b')
    assert found[("container_memory_working_set_bytes", "app", *where)] == (16 * MI, 1000.25)
    assert found[("container_cpu_usage_seconds_total", "app", "total", *where)] == (3.0, 1000.25)
    assert found[("container_memory_working_set_bytes", "", "/", "", "", "", "")] == (400 * MI, 1000.0)
    assert found[("machine_cpu_cores", "boot-1", "machine-1", "")] == (2.0, None)
    assert found[("machine_memory_bytes", "boot-1", "machine-1", "")] == (1000 * MI, None)


@pytest.mark.parametrize(
    ("name", "labels", "values"),
    [
        ("container_cpu_system_seconds_total", {"container": "app"}, [1.0]),
        ("container_cpu_user_seconds_total", {"container": "app"}, [2.0]),
        ("container_cpu_cfs_throttled_seconds_total", {"container": "app"}, [1.5]),
        ("container_cpu_cfs_throttled_seconds_total", {"container": "log"}, []),
        ("container_memory_failures_total", {"container": "app", "failure_type": "pgmajfault"}, [9]),
        ("container_oom_events_total", {"container": "app"}, [2]),
        ("container_spec_memory_limit_bytes", {"pod": 'we"b', "container": "log"}, [0]),
        ("container_spec_memory_limit_bytes", {"container": "app"}, [64 * MI]),
        ("container_spec_cpu_quota", {"pod": 'we"b'}, [25_000]),
        ("container_fs_usage_bytes", {"container": "app"}, [30]),
        ("container_start_time_seconds", {"image": "pause:1"}, [900.5]),
        ("container_network_receive_bytes_total", {"pod": 'we"b', "interface": "eth0"}, [5000]),
        ("container_network_transmit_packets_dropped_total", {"pod": 'we"b', "container": ""}, [4]),
        ("container_network_transmit_errors_total", {"id": "/", "interface": "eth0"}, [3]),
        ("container_network_receive_bytes_total", {"pod": "agent"}, []),
    ],
)
def test_cadvisors_values(name: str, labels: dict[str, str], values: list[float]) -> None:
    assert list(by_labels(name, **labels)) == values


def test_the_agents_own_metrics() -> None:
    found = metrics("/metrics")
    assert found[("process_cpu_seconds_total",)] == (1.5, None)
    assert found[("process_resident_memory_bytes",)] == (40 * MI, None)
    assert found[("kubelet_running_pods",)][0] == 1 and found[("kubelet_running_containers", "running")][0] == 3
    assert found[("kubelet_node_name", "node-1")][0] == 1 and found[("sampan_build_info", "v9.9.9")][0] == 1


def test_this_process_can_be_measured() -> None:
    process = of_this_process("v1")
    assert process.resident_bytes > MI and process.files > 2 and process.threads >= 1
    assert process.cpu_s > 0 and process.virtual_bytes > process.resident_bytes
    assert process.started_at > 0


@pytest.mark.parametrize("path", sorted(PAGES))
def test_every_page_can_be_shown_before_the_first_measurement(path: str) -> None:
    assert PAGES[path](EMPTY, "").body


def test_the_text_format() -> None:
    families = (
        Family("b_total", "counter", "Second.", (Sample(0.5, {"z": "1", "a": 'x"\\\n'}), Sample(2.0, {}, 1.5))),
        Family("a", "gauge", "First.", (Sample(1 << 60, {}),)),
        Family("none", "gauge", "Without values.", ()),
    )
    assert text(families).decode() == (
        "# HELP a First.\n# TYPE a gauge\na 1152921504606846976\n"
        "# HELP b_total Second.\n# TYPE b_total counter\n"
        'b_total{a="x\\"\\\\\\n",z="1"} 0.5\nb_total 2 1500\n'
    )
