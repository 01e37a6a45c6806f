"""`sampan install`, `upgrade`, `uninstall` and `bundle`: Sampan on this host. The work is in host.

Runs on the distribution's Python before anything is installed: imports the standard library only, as host does.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli.parsing import add_action, add_command, node_name

if TYPE_CHECKING:
    from cli.progress import Progress
    from host.installation.install import Installer
    from host.source import Source
    from hull.settings import Value

_BACKUP_OPTIONS: Final = {"directory": "dir", "keep": "keep", "at": "at"}
"""Setting of backup.toml → the end of the option's name."""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    _add_install(subparsers)
    upgrade = add_command(subparsers, "upgrade")
    which = upgrade.add_mutually_exclusive_group()
    _add_from(which, otherwise="this checkout")
    which.add_argument("--rollback", action="store_true", help="return to the release from before the last upgrade")
    upgrade.set_defaults(run=_upgrade)
    uninstall = add_command(subparsers, "uninstall")
    uninstall.add_argument("--purge", action="store_true", help="also remove configuration, state and the user")
    uninstall.add_argument("--force", action="store_true", help="even if the host is still a node")
    uninstall.set_defaults(run=_uninstall)
    _add_bundle(subparsers)


def _add_bundle(subparsers: "argparse._SubParsersAction[Any]") -> None:
    bundle = add_command(subparsers, "bundle")
    bundle.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="- writes to standard output; default: sampan-VERSION-PYTHON-MACHINE.tar",
    )
    bundle.add_argument("--python", default="", metavar="VERSION", help="of the hosts, like 3.13; default: this one's")
    bundle.add_argument("--packages", type=Path, metavar="DIR", help="take the wheels from there, download nothing")
    bundle.set_defaults(run=_bundle)


def _add_install(subparsers: "argparse._SubParsersAction[Any]") -> None:
    install = add_command(subparsers, "install")
    roles = install.add_subparsers(metavar="ROLE", required=True, dest="role")
    master = add_action(
        roles,
        "master",
        "install the master, and start it",
        example="sampan install master --advertise-address 192.0.2.1",
    )
    master.add_argument(
        "--advertise-address",
        action="append",
        dest="advertise_addresses",
        metavar="ADDRESS",
        help="how people and agents reach the master; may be repeated, and the first one is printed in join commands; "
        "default: that of the default route",
    )
    master.add_argument("--listen-address", metavar="ADDRESS", help="default: 0.0.0.0")
    master.add_argument("--cluster-name", metavar="NAME", help="default: sampan")
    master.add_argument("--cluster-cidr", metavar="CIDR", help="addresses of all pods; default: 10.244.0.0/16")
    master.add_argument("--service-cidr", metavar="CIDR", help="addresses of all services; default: 10.96.0.0/16")
    master.add_argument("--node-port-range", metavar="FIRST-LAST", help="default: 30000-32767")
    master.add_argument("--backup-dir", metavar="DIR", help='make backups there at regular times; "" stops that')
    master.add_argument("--backup-keep", type=int, metavar="N", help="keep the newest N backups; default: 7")
    master.add_argument(
        "--backup-at", metavar="WHEN", help="a time of systemd.time(7), such as daily or 03:30; default: daily"
    )
    master.add_argument("--no-start", action="store_false", dest="start", help="neither start nor enable the service")
    agent = add_action(
        roles,
        "agent",
        "install the agent; `sampan join` starts it",
        example="sampan install agent --node-name node1",
    )
    agent.add_argument("--master", metavar="ADDRESS", help="the master's address; default: `sampan join` sets it")
    agent.add_argument("--node-name", type=node_name, metavar="NAME", help="default: the host's name")
    agent.add_argument("--node-address", metavar="ADDRESS", help="default: that of the route to the master")
    agent.add_argument("--engine-socket", metavar="SOCKET", help="default: /var/run/docker.sock")
    agent.add_argument(
        "--label", action="append", dest="labels", metavar="KEY=VALUE", help="a label of the node; may be repeated"
    )
    for role in (master, agent):
        _add_from(role, otherwise="this checkout, or the installed release")
        role.add_argument(
            "--upgrade", action="store_true", help="upgrade if another release is installed, instead of refusing"
        )
        role.set_defaults(run=_install)


def _add_from(parser: "argparse._ActionsContainer", *, otherwise: str) -> None:
    parser.add_argument("--from", type=Path, dest="given", metavar="WHEEL|BUNDLE", help=f"default: {otherwise}")


def _install(options: argparse.Namespace) -> int:
    from cli.progress import Progress
    from host.installation.upgrade import Upgrader
    from host.services import configured
    from host.system import exclusive

    progress = Progress()
    installer = _installer(progress)
    installer.require()
    with exclusive(installer.layout.lock), _source(options, installer) as source:
        if options.upgrade and source is not None:
            Upgrader(installer.layout, installer.system, progress.step, progress.say).upgrade_other(source)
        installer.install(
            options.role,
            source,
            _settings(options),
            start=getattr(options, "start", True),
            backup_options=_backup_options(options),
        )
    if options.role == "agent":
        print("installed; `sampan join ADDRESS --token … --ca-hash …` makes this host a node")
    elif options.start:
        print(f"export KUBECONFIG={configured.state('master', installer.layout)}/admin.kubeconfig")
    else:
        print("installed; `systemctl enable --now sampan-master` starts it")
    return 0


@contextmanager
def _source(options: argparse.Namespace, installer: "Installer") -> "Iterator[Source | None]":
    """The release to install; None stands for the installed one, which is the default outside of a checkout."""
    from host.build import in_checkout
    from host.source import opened

    if options.given is None and not in_checkout():
        yield None
        return
    with opened(options.given, installer.system) as source:
        yield source


def _upgrade(options: argparse.Namespace) -> int:
    from cli.progress import Progress
    from host.installation.upgrade import Upgrader
    from host.source import opened
    from host.system import exclusive

    progress = Progress()
    installer = _installer(progress)
    installer.require()
    upgrader = Upgrader(installer.layout, installer.system, progress.step, progress.say)
    with exclusive(installer.layout.lock):
        if options.rollback:
            name = upgrader.roll_back()
        else:
            with opened(options.given, installer.system) as source:
                name = upgrader.upgrade(source)
    print(f"release {name} runs")
    return 0


def _uninstall(options: argparse.Namespace) -> int:
    from cli.progress import Progress
    from host.errors import HostError
    from host.installation.uninstall import Uninstaller
    from host.system import exclusive

    progress = Progress()
    installer = _installer(progress)
    if not installer.system.is_root():
        raise HostError("only root may change this host: run it with sudo")
    with exclusive(installer.layout.lock):
        uninstaller = Uninstaller(
            installer.layout, installer.system, progress.step, progress.say, no_return=_ignore_interrupts
        )
        kept = uninstaller.uninstall(purge=options.purge, force=options.force)
    why = "not made by it, or not empty" if options.purge else "--purge removes them"
    print(f"uninstalled; kept: {', '.join(kept)} ({why})" if kept else "uninstalled, nothing is left")
    return 0


def _ignore_interrupts() -> None:
    """Until the process ends, which is soon."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _bundle(options: argparse.Namespace) -> int:
    from cli.progress import Progress
    from host import bundle
    from host.system import Commands
    from hull.outfile import is_stdout

    path = bundle.make(options.file, Commands(), python=options.python, packages=options.packages, step=Progress().step)
    print(path, file=sys.stderr if is_stdout(path) else sys.stdout)
    return 0


def _installer(progress: "Progress") -> "Installer":
    from host.installation.install import Installer
    from host.layout import HostLayout
    from host.system import Commands

    return Installer(HostLayout(), Commands(), progress.step, progress.say)


def _settings(options: argparse.Namespace) -> "dict[str, Value]":
    """The options that were given, by the names of the configuration."""
    from host.config import master_url

    names = (
        *("advertise_addresses", "listen_address", "cluster_name", "cluster_cidr", "service_cidr", "node_port_range"),
        *("node_name", "node_address", "engine_socket"),
    )
    settings: dict[str, Value] = {name: value for name in names if (value := getattr(options, name, None))}
    if getattr(options, "master", None):
        settings["master"] = master_url(options.master)
    if getattr(options, "labels", None):
        settings["labels"] = dict(_label(text) for text in options.labels)
    return settings


def _label(text: str) -> tuple[str, str]:
    from host.errors import WrongUse

    key, equals, value = text.partition("=")
    if not key or not equals:
        raise WrongUse(f"--label: {text!r} is not like KEY=VALUE")
    return key, value


def _backup_options(options: argparse.Namespace) -> "dict[str, str | int]":
    """The given ones, by their names in backup.toml."""
    given = {name: getattr(options, f"backup_{option}", None) for name, option in _BACKUP_OPTIONS.items()}
    return {name: value for name, value in given.items() if value is not None}
