"""What tests read from a host: its files, its processes, its API."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from client.errors import ClientError, NotFound, StatusError, Unauthorized
from client.kubeconfig import Access, load_kubeconfig
from client.rest import RestClient
from lab.images.builder import build
from lab.images.recipes import IMAGES
from tests.machine.bed import Host

ADMIN = "/var/lib/sampan/master/admin.kubeconfig"

_SNAPSHOT = """
find /etc /opt /usr/local /var/lib /run/systemd/system -xdev \\
    \\( -path /var/lib/docker -o -path /var/lib/containerd -o -path /var/lib/systemd -o -path '/etc/*-' \\
       -o -path /etc/.pwd.lock \\) -prune -o -printf '%p %y %m %u %g %l\\n' | sort
cat /etc/passwd /etc/group /etc/shadow
systemctl list-unit-files --no-legend --plain
"""


def snapshot(machine: Host) -> list[str]:
    """Files with mode, owner and target; users and groups; units: equal before installing and after uninstalling."""
    return machine.shell(_SNAPSHOT).stdout.splitlines()


def process_of(machine: Host, role: str) -> int:
    """The pid of the role's daemon; 0 when it does not run."""
    return int(machine.output("systemctl", "show", "--property=MainPID", "--value", f"sampan-{role}"))


def is_active(machine: Host, role: str) -> bool:
    return machine.run("systemctl", "--quiet", "is-active", f"sampan-{role}", check=False).returncode == 0


def record(machine: Host) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(machine.output("cat", "/opt/sampan/installed.json"))
    return document


def entries(machine: Host, *matches: str) -> list[dict[str, Any]]:
    """Journal entries with these fields, oldest first."""
    machine.run("journalctl", "--sync")
    text = machine.output("journalctl", "--no-pager", "-o", "json", *matches)
    return [json.loads(line) for line in text.splitlines()]


def load_image(machine: Host, program: str = "docker") -> None:
    """Put the tests' web server into the machine's own engine, in place of a pull."""
    for image in build(IMAGES[:1]):
        config = json.loads((image.directory / "config.json").read_text())["config"]
        changes = [f"ENTRYPOINT {json.dumps(config['Entrypoint'])}", f"CMD {json.dumps(config['Cmd'] or [])}"]
        options = [part for change in changes for part in ("--change", change)]
        content = (image.directory / "layer.tar.gz").read_bytes()
        machine.run(program, "import", *options, "-", f"docker.io/{image.recipe.repository}:{image.recipe.tag}",
                    input=content)  # fmt: skip


def together(*works: Callable[[], object]) -> None:
    """Run all side by side; raises the first error."""
    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(work) for work in works]:
            future.result()


class Control:
    """A master's API, as its administrator, from this machine. Keeps no connection, so the master may restart.

    Keeps the administrator's access as it was read first, until the master does not answer or does not accept it.
    """

    def __init__(self, master: Host) -> None:
        self.master = master
        self._access: Access | None = None

    def api(self, path: str, *, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """GET; with a body POST. Raises ClientError."""
        with self._client() as client:
            return dict(client.create(path, dict(body)) if body is not None else client.get(path))

    def delete(self, path: str, *, grace_s: int | None = None) -> None:
        """Delete the object, if it exists. Raises ClientError."""
        with self._client() as client, suppress(NotFound):
            client.delete(path, grace_period_s=grace_s)

    def forget_access(self) -> None:
        """Read it again for the next request, as for a master with another address."""
        self._access = None

    @contextmanager
    def _client(self) -> Iterator[RestClient]:
        access = self._access or self._read_access()
        self._access = None
        with RestClient(access) as client:
            try:
                yield client
            except StatusError as error:
                self._access = None if isinstance(error, Unauthorized) else access
                raise
        self._access = access

    def _read_access(self) -> Access:
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.master.run("cat", ADMIN).stdout.encode())
            file.flush()
            return load_kubeconfig(Path(file.name))

    def ready(self, path: str) -> bool:
        """Whether the object is Ready; False when the API does not answer."""
        try:
            conditions = self.api(path)["status"].get("conditions", [])
        except ClientError:
            return False
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def join_words(self, *options: str) -> list[str]:
        """The words of a join command with a new token."""
        words = self.master.output("sampan", "token", "create", "--kubeconfig", ADMIN, *options)
        return words.split()
