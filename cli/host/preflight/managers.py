"""Programs that manage the host's network and would meddle: firewalld, ufw, NetworkManager, systemd-networkd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cli.host.preflight.facts import AGENT, Facts
from cli.host.preflight.finding import Finding, warning


@dataclass(frozen=True, slots=True)
class Snippet:
    """A file that tells a manager to leave our links alone, and how the manager reads it."""

    path: str
    content: str
    reload: str


SNIPPETS: Final[Mapping[str, Snippet]] = {
    "NetworkManager": Snippet(
        "/etc/NetworkManager/conf.d/sampan.conf",
        "# Links of Sampan's agent are its own.\n"
        "[keyfile]\nunmanaged-devices+=interface-name:sampan.vxlan;interface-name:sp????????????\n",
        "nmcli general reload",
    ),
    "systemd-networkd": Snippet(
        "/etc/systemd/network/05-sampan.network",
        "# Links of Sampan's agent are its own.\n[Match]\nName=sampan.vxlan sp????????????\n\n[Link]\nUnmanaged=yes\n",
        "networkctl reload",
    ),
}
"""`sampan install agent` writes those whose manager is there."""


def judge(facts: Facts) -> Iterator[Finding]:
    if facts.role != AGENT:
        return
    for name, snippet in SNIPPETS.items():
        if name in facts.active and name not in facts.left_alone:
            escaped = snippet.content.replace("\n", "\\n")
            yield warning(
                _id(name),
                f"{name} runs and is not told to leave the agent's links alone: it may take their addresses away",
                f"printf '{escaped}' > {snippet.path} && {snippet.reload}",
            )
    if "firewalld" in facts.active:
        yield warning(
            "firewalld",
            "firewalld runs: by its default zone it drops VXLAN between the nodes and what is forwarded to pods",
            "firewall-cmd --permanent --add-port=4789/udp && firewall-cmd --permanent --zone=trusted "
            f"--add-source={facts.cidrs.cluster} && firewall-cmd --reload",
        )
    if "ufw" in facts.active:
        policy = f" (DEFAULT_FORWARD_POLICY={facts.firewall})" if facts.firewall else ""
        pods = facts.cidrs.cluster
        yield warning(
            "ufw",
            f"ufw is active{policy}: it drops VXLAN between the nodes unless it is told otherwise",
            f"ufw allow 4789/udp && ufw route allow from {pods} && ufw route allow to {pods}",
        )


def _id(manager: str) -> str:
    return {"NetworkManager": "networkmanager", "systemd-networkd": "networkd"}[manager]
