"""Each possible finding is provoked on a real host by a test that is named here, or has a reason why it is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from host.preflight.kernel import _MISSING

ROOT: Final = Path(__file__).resolve().parents[3]
_NETWORK, _HOST = "tests/kernel/test_preflight.py", "tests/kernel/test_preflight_host.py"
_MEMBERSHIP, _SURROUNDINGS = "tests/cluster/test_membership.py", "tests/machine/test_surroundings.py"
_COMMANDS, _PODMAN = "tests/machine/test_commands.py", "tests/machine/test_podman.py"

PROVOKED: Final[Mapping[str, str]] = {
    "not-root": _COMMANDS,
    "memory": _HOST,
    "disk-space": _NETWORK,
    "swap": _HOST,
    "cgroup": _HOST,
    "cgroup-controllers": _HOST,
    "cgroup-driver": _HOST,
    "engine-socket": _HOST,
    "engine-answer": _HOST,
    "engine-version": _HOST,
    "engine-podman": _PODMAN,
    "engine-storage": _HOST,
    "kernel-namespace": _NETWORK,
    "kernel-veth": _HOST,
    "kernel-bridge": _HOST,
    "kernel-vxlan": _HOST,
    "kernel-conntrack": _HOST,
    "kernel-forwarding": _HOST,
    "ip-forward": _NETWORK,
    "rp-filter": _NETWORK,
    "bridge-netfilter": _HOST,
    "iptables": _NETWORK,
    "iptables-rules": _HOST,
    "iptables-variant": _NETWORK,
    "vxlan-blocked": _NETWORK,
    "nftables-drops": _NETWORK,
    "node-address": _NETWORK,
    "cluster-cidr": _NETWORK,
    "service-cidr": _NETWORK,
    "nameserver-cidr": _NETWORK,
    "mtu": _NETWORK,
    "port-in-use": _NETWORK,
    "networkmanager": _SURROUNDINGS,
    "networkd": _SURROUNDINGS,
    "firewalld": _SURROUNDINGS,
    "ufw": _SURROUNDINGS,
    "node-name": _HOST,
    "master-answer": _MEMBERSHIP,
    "master-trust": _MEMBERSHIP,
    "clock": _MEMBERSHIP,
    "certificate-time": _MEMBERSHIP,
    "join-token": _MEMBERSHIP,
    "node-name-taken": _MEMBERSHIP,
    "node-address-taken": _MEMBERSHIP,
}
MADE_UP: Final[Mapping[str, str]] = {
    "python-version": "a Python that is too old does not run the command at all",
}
"""Those that come from invented facts only (test_preflight_findings.py)."""


def ids() -> Iterator[str]:
    """The ids in every call of `error` and `warning` in the judges; those with a variable are listed here."""
    for path in (ROOT / "host/preflight").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("error", "warning"):
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    yield str(first.value)
                else:
                    yield from VARIABLE[ast.unparse(first)]


VARIABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "f'kernel-{feature}'": tuple(f"kernel-{each}" for each in _MISSING),
    "id_": ("cluster-cidr", "service-cidr"),
    "_id(name)": ("networkmanager", "networkd"),
}


def test_the_table_knows_each_finding() -> None:
    assert set(ids()) == {*PROVOKED, *MADE_UP}
    assert not set(PROVOKED) & set(MADE_UP)


@pytest.mark.parametrize(("id_", "file"), PROVOKED.items(), ids=PROVOKED)
def test_the_file_that_provokes_a_finding_names_it(id_: str, file: str) -> None:
    constants = (
        node.value for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.Constant)
    )
    assert id_ in constants
