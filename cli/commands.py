"""The table of commands: `sampan --help` prints it without importing any of their modules."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Command:
    """`module` has `add(subparsers)`, which may add several commands."""

    module: str
    summary: str
    example: str
    checkout_only: bool = False


GROUPS: Final[Mapping[str, Mapping[str, Command]]] = {
    "cluster": {
        "up": Command("cli.up", "make a lab with a cluster in it, and serve the examples", "sampan up --nodes 2"),
        "down": Command("cli.down", "remove a lab and everything in it", "sampan down"),
        "status": Command("cli.status", "show how to reach the cluster, its services and its nodes", "sampan status"),
        "kubeconfig": Command(
            "cli.kubeconfig", "print the kubeconfig, or its path", "export KUBECONFIG=$(sampan kubeconfig --path)"
        ),
        "token": Command("cli.tokens", "manage the tokens with which hosts join", "sampan token create --ttl 1h"),
        "certs": Command(
            "cli.certs", "show or rotate the certificates, on the master's host", "sampan certs rotate server"
        ),
        "report": Command(
            "cli.report.command", "write all about a fault into one file, without secrets", "sampan report fault.tar.gz"
        ),
        "backup": Command(
            "cli.backup", "save the running master's state in a file", "sampan backup /srv/backups/cluster.tar"
        ),
        "restore": Command(
            "cli.backup",
            "replace a stopped master's state by a backup",
            "systemctl stop sampan-master && sampan restore --force cluster.tar",
        ),
    },
    "lab": {
        "lab": Command(
            "cli.lab_commands",
            "look at the lab's hosts, and cause faults",
            "sampan lab cut node1 --peer master && sampan lab hosts && sampan lab heal node1",
        ),
    },
    "hosts": {
        "install": Command(
            "cli.host_commands",
            "install the master or an agent on this host, as a systemd service",
            "sampan install master --advertise-address 192.0.2.1",
        ),
        "upgrade": Command(
            "cli.host_commands",
            "run another release on this host; containers keep running",
            "sampan upgrade --from sampan-0.1.0-py3.11-x86_64.tar",
        ),
        "uninstall": Command(
            "cli.host_commands", "remove what `sampan install` made on this host", "sampan uninstall --purge"
        ),
        "bundle": Command(
            "cli.host_commands",
            "write everything that a host needs into one file, for an offline installation",
            "sampan bundle --python 3.13 sampan.tar",
        ),
        "check": Command(
            "cli.check_command",
            "check whether this host can be a node or a master; changes nothing",
            "sampan check --master 192.0.2.1",
        ),
        "join": Command(
            "cli.membership_commands",
            "make this host a node of a cluster",
            "sampan join 192.0.2.1 --token - --ca-hash sha256:…  (`sampan token create` prints the whole command)",
        ),
        "leave": Command(
            "cli.membership_commands",
            "drain this node, remove it from the cluster and clean the host",
            "sampan leave --drain-timeout 60",
        ),
        "reset": Command(
            "cli.membership_commands", "clean this host of everything of a node, without a master", "sampan reset"
        ),
        "master": Command(
            "cli.daemons", "run a master in the foreground", "sampan master --config /etc/sampan/master.toml"
        ),
        "agent": Command(
            "cli.daemons", "run this host's agent in the foreground", "sampan agent --config /etc/sampan/agent.toml"
        ),
    },
    "objects": {
        "get": Command("cli.objects.get", "list objects of any type, or print them", "sampan get pods -A -o wide"),
        "describe": Command(
            "cli.objects.describe", "show everything about objects, and their events", "sampan describe pod/web"
        ),
        "explain": Command(
            "cli.objects.explain", "show the fields of a type", "sampan explain pod.spec.containers --recursive"
        ),
        "apply": Command(
            "cli.objects.apply", "create or change objects as manifests say", "sampan apply -f guestbook.yaml"
        ),
        "scale": Command(
            "cli.objects.scale", "set the number of replicas of an object", "sampan scale rc/web --replicas 3"
        ),
        "delete": Command(
            "cli.objects.delete", "delete objects by name, selector or manifest", "sampan delete rc/web service/web"
        ),
        "logs": Command("cli.objects.logs", "print what containers print", "sampan logs rc/web --tail 20 -f"),
        "events": Command("cli.objects.events", "show what happened", "sampan events --for pod/web"),
    },
    "development": {
        "completion": Command(
            "cli.completion", "print the completion script of a shell", 'eval "$(sampan completion bash)"'
        ),
        "build": Command(
            "cli.build", "build the wheels and the bundle of this checkout", "sampan build", checkout_only=True
        ),
        "test": Command(
            "cli.checkout",
            "install what the tests need, and run them",
            "sampan test unit -k join -x",
            checkout_only=True,
        ),
        "bench": Command(
            "cli.checkout", "measure, and compare with the targets", "sampan bench cluster", checkout_only=True
        ),
    },
}


def available() -> dict[str, Command]:
    """The commands by name: in an installation those that need a checkout are missing."""
    checkout = in_checkout()
    commands = {name: command for group in GROUPS.values() for name, command in group.items()}
    return {name: command for name, command in commands.items() if checkout or not command.checkout_only}


def listing() -> str:
    """The commands in groups, one line each."""
    names = available()
    width = max(map(len, names)) + 2
    blocks = []
    for title, group in GROUPS.items():
        lines = [f"  {name:{width}}{command.summary}" for name, command in group.items() if name in names]
        blocks.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join(blocks)


def in_checkout() -> bool:
    """Whether the tests lie beside the packages."""
    return (Path(__file__).resolve().parent.parent / "tests").is_dir()
