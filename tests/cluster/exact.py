"""Checks that a cluster is exactly as declared: compares the API with the engines, the kernels and the disks.

Each function yields a line for every part that is missing, superfluous or inconsistent. Nothing uses the agents' own
code: links and files are found by the address or the uid that they belong to.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docker.errors import NotFound as DockerNotFound

from client.rest import RestClient
from hull import sweep
from hull.mounts import mounts_below
from lab.cluster import Cluster
from netrig.probe import Outcome, Prober, ask
from proto import contract
from proto.contract import Labels
from tests.hosts import engine_of

Document = dict[str, Any]
_ADDRESSES_S = 2.0


def differences(cluster: Cluster, api: RestClient) -> list[str]:
    """Everything that is wrong, without sending packets."""
    try:
        return _differences(cluster, api)
    except (OSError, DockerNotFound) as error:
        return [f"something vanished during the check: {error}"]


def _differences(cluster: Cluster, api: RestClient) -> list[str]:
    pods = items(api, "pods")
    lines = [*_pods(pods), *_controllers(api, pods), *_services(api, pods)]
    for node in cluster.lab.state.nodes:
        on_node = [pod for pod in pods if pod["spec"].get("nodeName") == node.name]
        lines += [f"{node.name}: {line}" for line in _node(cluster, node.name, on_node)]
    return lines


def items(api: RestClient, plural: str) -> list[Document]:
    return list(api.get(f"/api/v1/{plural}")["items"])


def ready_since(nodes: Iterable[Document]) -> dict[str, str]:
    """Node → the time since which it is Ready."""
    return {
        node["metadata"]["name"]: condition["lastTransitionTime"]
        for node in nodes
        for condition in node["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Ready", "True")
    }


def uid(obj: Document) -> str:
    return str(obj["metadata"]["uid"])


def address(pod: Document) -> str:
    return str(pod["status"].get("podIP", ""))


# --- the API -------------------------------------------------------------------------------------------------------


def _pods(pods: list[Document]) -> Iterator[str]:
    for pod in pods:
        name, status = pod["metadata"]["name"], pod["status"]
        if pod["metadata"].get("deletionTimestamp"):
            yield f"pod {name} is still being deleted"
        elif status["phase"] != "Running" or not _is_ready(pod):
            yield f"pod {name} is {status['phase']}, not ready: {status.get('containerStatuses')}"
        elif any(container["restartCount"] for container in status["containerStatuses"]):
            yield f"pod {name} was restarted"
    shared = [ip for ip, count in Counter(map(address, pods)).items() if count > 1]
    if shared:
        yield f"addresses that several pods have: {shared}"


def _is_ready(pod: Document) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _controllers(api: RestClient, pods: list[Document]) -> Iterator[str]:
    """Each controller has the desired number of pods, and every owner of a pod exists."""
    owned = Counter(owner["uid"] for each in pods for owner in each["metadata"].get("ownerReferences", []))
    for each in items(api, "replicationcontrollers"):
        has, wants = owned.pop(uid(each), 0), each["spec"]["replicas"]
        if not has == wants == each["status"]["replicas"]:
            yield f"{each['metadata']['name']} wants {wants}, has {has}, reports {each['status']['replicas']}"
    if owned:
        yield f"pods of missing controllers: {dict(owned)}"


def _services(api: RestClient, pods: list[Document]) -> Iterator[str]:
    """Each service has an Endpoints object with the addresses of its pods, and no other Endpoints exist.

    The service of cluster DNS has none: the nodes answer.
    """
    services = {each["metadata"]["name"]: each["spec"].get("selector") for each in items(api, "services")}
    _, dns = contract.DNS_SERVICE
    services.pop(dns, None)
    endpoints = {each["metadata"]["name"]: each for each in items(api, "endpoints")}
    if set(endpoints) != set(services):
        yield f"services {sorted(services)}, endpoints {sorted(endpoints)}"
    for name, selector in services.items():
        if selector is None or name not in endpoints:
            continue
        subsets = endpoints[name].get("subsets") or []
        has = {endpoint["ip"] for subset in subsets for endpoint in subset.get("addresses") or []}
        wants = {address(pod) for pod in pods if pod["metadata"].get("labels", {}).get("app") == selector["app"]}
        if has != wants:
            yield f"service {name} has the endpoints {sorted(has)}, its pods are {sorted(wants)}"


# --- the nodes -----------------------------------------------------------------------------------------------------


def _node(cluster: Cluster, node: str, pods: list[Document]) -> Iterator[str]:
    with engine_of(cluster, node) as engine:
        listed = engine.containers(all=True)
        sandboxes = {
            each["Labels"][Labels.POD_UID]: engine.inspect_container(each["Id"])["State"]["Pid"]
            for each in listed
            if not each["Labels"].get(Labels.CONTAINER)
        }
    yield from _containers(listed, pods)
    yield from _network(cluster, node, pods, sandboxes)
    yield from _disk(cluster, node, pods)
    yield from _processes(cluster, node, {each["Id"] for each in listed})


def _containers(listed: list[Document], pods: list[Document]) -> Iterator[str]:
    """Exactly one running instance of each container, one sandbox per pod, and nothing else."""
    has = Counter(
        (each["Labels"].get(Labels.POD_UID), each["Labels"].get(Labels.CONTAINER), each["State"]) for each in listed
    )
    wants = Counter(
        (uid(each), name, "running")
        for each in pods
        for name in ("", *(container["name"] for container in each["spec"]["containers"]))
    )
    if has != wants:
        yield f"containers: {dict(has - wants)} superfluous, {dict(wants - has)} missing"
    ids = {each["Id"] for each in listed}
    reported = {
        status["containerID"].removeprefix("docker://")
        for pod in pods
        for status in pod["status"].get("containerStatuses") or []
        if status.get("containerID")
    }
    if not reported <= ids:
        yield f"the API has containers that do not exist: {sorted(reported - ids)}"


def _network(cluster: Cluster, node: str, pods: list[Document], sandboxes: dict[str, int]) -> Iterator[str]:
    """Each pod's address has a link, a route and a neighbour entry; the pod's eth0 is the peer of that link."""
    links = {each["ifname"]: each["ifindex"] for each in _ip(cluster, node, "link") if each["ifname"].startswith("sp")}
    routes = {each["dst"]: each["dev"] for each in _ip(cluster, node, "route") if each.get("dev") in links}
    neighbours = {each["dst"]: each["dev"] for each in _ip(cluster, node, "neigh") if each.get("dev") in links}
    wants = {address(each) for each in pods}
    if not set(routes) == set(neighbours) == wants or sorted(routes.values()) != sorted(links):
        yield f"pods {sorted(wants)}, links {sorted(links)}, routes {routes}, neighbours {neighbours}"
    for each in pods:
        inside = _inside(cluster, sandboxes.get(uid(each), 0))
        peer = links.get(routes.get(address(each), ""))
        if inside != (address(each), peer):
            yield f"pod {each['metadata']['name']}: eth0 and its peer are {inside}, not {(address(each), peer)}"


def _ip(cluster: Cluster, node: str, what: str) -> list[Document]:
    family = [] if what == "link" else ["-4"]  # would leave out links without an address
    return list(json.loads(cluster.host(node).run(["ip", "-j", *family, what, "show"], check=False).stdout or "[]"))


def _inside(cluster: Cluster, pid: int) -> tuple[str, int | None]:
    """The address of a sandbox's eth0, and the index of its peer."""
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-j", "addr", "show", "eth0"]
    done = cluster.host("master").run(command, check=False)
    links = json.loads(done.stdout or "[]")
    if not links:
        return "", None
    (link,) = links
    return next((info["local"] for info in link["addr_info"] if info["family"] == "inet"), ""), link["link_index"]


def _disk(cluster: Cluster, node: str, pods: list[Document]) -> Iterator[str]:
    """The pods' directories and mounts, their address claims and records, and no unfinished files."""
    state = cluster.lab.host_paths(node).agent_state
    uids = {uid(each) for each in pods}
    kept = {each.name for each in (state / "pods").glob("*")}
    if kept != uids:
        yield f"directories {sorted(kept - uids)} superfluous, {sorted(uids - kept)} missing"
    claims = {each.name: each.read_text().split()[0] for each in state.glob("**/claims/*")}
    if claims != {address(each): uid(each) for each in pods}:
        yield f"claims {claims}"
    records = [json.loads(each.read_text()) for each in state.glob("**/*.json") if "volumes" not in each.parts]
    recorded = {each["uid"]: each["address"] for each in records if "uid" in each and "address" in each}
    if recorded != {uid(each): address(each) for each in pods}:
        yield f"records {recorded}"
    if left := [
        each for each in state.rglob("*") if re.search(r"(\.new|\.tmp|/scratch)$", str(each)) and each.is_file()
    ]:
        yield f"unfinished files: {left}"
    mounts = sorted(Path(each).relative_to(state / "pods").parts[0] for each in mounts_below(state))
    expected = sorted(uid(pod) for pod in pods for volume in pod["spec"].get("volumes") or [] if _is_mounted(volume))
    if mounts != expected:
        yield f"mounts of {mounts}, not of {expected}: {mounts_below(state)}"


def _is_mounted(volume: Document) -> bool:
    """Secrets, and tokens, which are in projected volumes, are in memory."""
    return volume.get("emptyDir", {}).get("medium") == "Memory" or "secret" in volume or "projected" in volume


def _processes(cluster: Cluster, node: str, ids: set[str]) -> Iterator[str]:
    """One agent with its DNS, one engine, a shim per container, and no other processes in the containers' cgroups."""
    paths = cluster.lab.host_paths(node)
    names = Counter(_command(record.pid) for record in sweep.members_of_netns([paths.netns]))
    wants = Counter({"agent": 1, "netstack.dns": 1, "dockerd": 1, "containerd": 1, "containerd-shim-runc-v2": len(ids)})
    if names != +wants:
        yield f"processes {dict(names)}, not {dict(wants)}"
    cgroup = cluster.lab.layout.host_cgroup(node)
    members = [record.pid for record in sweep.members_of_cgroup(cgroup)]
    strangers = [pid for pid in members if not any(id_ in Path(f"/proc/{pid}/cgroup").read_text() for id_ in ids)]
    if strangers:
        yield f"processes {strangers} in cgroups without a container"
    groups = {each.name for each in Path("/sys/fs/cgroup").glob(f"*{cgroup}/*") if each.is_dir()}
    groups |= {each.name for each in Path("/sys/fs/cgroup").glob(f"{cgroup.lstrip('/')}/*") if each.is_dir()}
    if groups != ids:
        yield f"cgroups {sorted(groups - ids)} superfluous, {sorted(ids - groups)} missing"


def _command(pid: int) -> str:
    """The program's name; for a process of ours the module or, for the command line, the subcommand, such as agent."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return "ended"
    if "-m" not in words:
        return Path(words[0]).name
    module, argument = words[words.index("-m") + 1 :][:2]
    return argument if module == "cli" else module


# --- kernel state, and real packets --------------------------------------------------------------------------------


def network_of(cluster: Cluster, node: str) -> str:
    """The network state of a node, as text that can be compared with that of a newly booted node."""
    commands = (
        ("iptables-legacy-save",),
        ("ip", "-4", "route", "show", "table", "all"),
        ("ip", "-4", "neigh", "show", "nud", "permanent"),
        ("bridge", "fdb", "show", "dev", "sampan.vxlan"),
        ("ip", "-o", "-4", "addr", "show"),
        ("ip", "-o", "link", "show", "type", "veth"),
    )
    parts = []
    for command in commands:
        text = cluster.host(node).run(command, check=False).stdout
        lines = [_timeless(line) for line in text.splitlines() if not line.startswith("#")]
        # The order of rules matters; the order of netlink's lists does not.
        parts += [" ".join(command), *(lines if "save" in command[0] else sorted(lines))]
    return "\n".join(parts)


def _timeless(line: str) -> str:
    """The line without counters and without the numbers of links and namespaces, which only grow."""
    line = re.sub(r"\[\d+:\d+\]", "", line)
    line = re.sub(r"^\d+: ", "", line)
    line = re.sub(r"@if\d+", "", line)
    line = re.sub(r"link-netnsid \d+", "", line)
    return re.sub(r"link/ether ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})", r"\1", line).strip()


def unanswered(cluster: Cluster, api: RestClient) -> list[str]:
    """A line for each service that does not answer as declared, probed from each node and from a pod on it."""
    pods = items(api, "pods")
    lines = []
    for each in items(api, "services"):
        selector = each["spec"].get("selector")
        if selector is None:
            continue
        backends = {
            pod["metadata"]["name"] for pod in pods if pod["metadata"].get("labels", {}).get("app") == selector["app"]
        }
        probe = ask(each["spec"]["clusterIP"], each["spec"]["ports"][0]["port"], timeout_s=_ADDRESSES_S)
        for name, prober in _probers(cluster):
            results = prober.run([probe] * 20)
            servers = {result.server for result in results if result.outcome is Outcome.REPLY}
            answered = all(result.outcome is Outcome.REPLY for result in results)
            refused = all(result.outcome is Outcome.REFUSED for result in results)
            if not (answered and servers <= backends if backends else refused):
                wrong = [result for result in results if result.outcome is not Outcome.REPLY] or results
                lines += [
                    f"{name}: service {each['metadata']['name']} of {sorted(backends)}: {result}"
                    for result in wrong[:3]
                ]
    return lines


def _probers(cluster: Cluster) -> Iterator[tuple[str, Prober]]:
    """They send one question at a time. The backlog of the pods' `nc -ll` has room for two connections; a third one
    would get no answer, even if the services work.
    """
    for node in cluster.lab.state.nodes:
        yield node.name, Prober(str(cluster.lab.host_paths(node.name).netns), name=node.name, at_once=1)
        with engine_of(cluster, node.name) as engine:
            for each in engine.containers():
                if not each["Labels"].get(Labels.CONTAINER):
                    yield (
                        f"a pod on {node.name}",
                        Prober(engine.inspect_container(each["Id"])["State"]["Pid"], at_once=1),
                    )
                    break
