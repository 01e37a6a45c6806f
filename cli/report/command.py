"""`sampan report`: the command. Owns what is in the file, and its form."""

import argparse
import io
import json
import platform
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from cli import exits
from cli.options import add_access, kubeconfig_path
from cli.parsing import add_command
from cli.report import hosts
from cli.report.objects import Objects, objects
from cli.report.redaction import SHORTEST, Redaction
from hull.outfile import is_stdout, written

if TYPE_CHECKING:
    from lab.cluster import Cluster

_README: Final = f"""\
A report about a cluster, made by `sampan report`.

objects/        all objects of the API, events among them; of secrets only the keys and lengths
nodes/          what each node says about itself
hosts/          logs, rules, links and routes of the hosts that the command could reach
versions.json   where the report was made
problems.txt    what could not be read

Values of secrets of {SHORTEST} bytes and more are replaced by (hidden) in all files. Read the report before you give it
away: logs, config maps and names may say more than you want to tell.
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers,
        "report",
        description="Write everything that helps to understand a fault of the cluster into one compressed archive: "
        "versions, objects with their events, logs, and the rules, links and routes of the hosts. In a lab that is all "
        "hosts, otherwise this one, if it is a node or the master. The values of secrets are left out.",
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="- writes to standard output; default: sampan-report-TIME.tar.gz",
    )
    add_access(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    now = time.time()
    name = time.strftime("sampan-report-%Y%m%d-%H%M%S", time.gmtime(now))
    path = options.file or Path(f"{name}.tar.gz")
    kubeconfig = kubeconfig_path(options)
    found = _objects(kubeconfig)
    files = {**found.files, **_hosts(options.lab, kubeconfig), "versions.json": _versions()}
    files["problems.txt"] = "".join(f"{problem}\n" for problem in found.problems).encode()
    if not found.secrets and found.problems:
        files["problems.txt"] += b"secrets were not known, so their values were not searched for\n"
    redact = Redaction(found.secrets)
    hidden = {each: redact(content) for each, content in files.items()}
    hidden["README.txt"] = _README.encode()
    with written(path, mode=0o600) as file:
        write(file, name, hidden, at=now)
    for problem in found.problems:
        print(f"sampan: {problem}", file=sys.stderr)
    print(f"{path}: {len(hidden)} files; read it before you give it away", file=sys.stderr if is_stdout(path) else None)
    return exits.OK


def _objects(kubeconfig: Path) -> Objects:
    from client.errors import ClientError
    from client.kubeconfig import load_kubeconfig
    from client.rest import RestClient

    try:
        # Without the API's warnings: about kinds that nobody has asked for by name.
        with RestClient(load_kubeconfig(kubeconfig)) as client:
            return objects(client)
    except (ClientError, OSError) as error:
        return Objects(problems=[f"the API: {error}"])


def _hosts(lab: str, kubeconfig: Path) -> dict[str, bytes]:
    """The hosts of the cluster that the kubeconfig is for, as far as they are here."""
    cluster = _lab_of(lab, kubeconfig)
    return dict(hosts.of_lab(cluster) if cluster is not None else hosts.of_this_host())


def _lab_of(name: str, kubeconfig: Path) -> "Cluster | None":
    from lab.cluster import Cluster
    from lab.lab import Lab

    lab = Lab(name)
    if not lab.exists or lab.layout.kubeconfig.resolve() != kubeconfig.resolve():
        return None
    lab.file.load()
    return Cluster(lab)


def _versions() -> bytes:
    from importlib.metadata import PackageNotFoundError, version

    try:
        release = version("sampan")
    except PackageNotFoundError:
        release = "a checkout"
    document = {"sampan": release, "python": platform.python_version(), "kernel": platform.release()}
    return json.dumps({**document, "machine": platform.machine()}, indent=1).encode()


def write(file: IO[bytes], name: str, files: Mapping[str, bytes], *, at: float) -> None:
    """Write the archive, with all files in a directory of that name. `at`: their time."""
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for each in sorted(files):
            entry = tarfile.TarInfo(f"{name}/{each}")
            entry.size, entry.mtime, entry.mode = len(files[each]), int(at), 0o600
            archive.addfile(entry, io.BytesIO(files[each]))
