"""The servers that are measured, each a process of its own on loopback: the master, and the floor.

The master is the real command with its defaults, on the real disk (/var/tmp). Only the grace periods are longer,
because the nodes of the lists have no agents and their pods must not be evicted.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from client.kubeconfig import load_kubeconfig
from client.tls import context_for
from tests.bench.areas.api.pods import request
from tests.bench.lab import ROOT

_START_TIMEOUT_S = 180.0
_LOOK_S = 0.002
_QUIET_S = 1.0
_QUIET_CPU_S = 0.05


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `tls` has the administrator's certificate."""

    process: psutil.Process
    port: int
    tls: ssl.SSLContext
    started_s: float
    """Time from the start of the process until /readyz answered ok."""
    started_cpu_s: float
    """Processor time of the process in that time."""

    def cpu_s(self) -> float:
        """Processor time that the process has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def resident_mb(self) -> float:
        return float(self.process.memory_info().rss) / 1e6

    def reset_peak(self) -> None:
        """Makes the peak of the resident memory its current value (proc(5), clear_refs)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_mb(self) -> float:
        """The highest resident memory since `reset_peak`."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6

    def quiet(self) -> None:
        """Waits until the process is idle: components may still start when /readyz answers ok."""
        used = self.cpu_s()
        for _ in range(60):
            time.sleep(_QUIET_S)
            before, used = used, self.cpu_s()
            if used - before < _QUIET_CPU_S:
                return
        raise TimeoutError("the server was never idle")


@contextlib.contextmanager
def master(directory: Path) -> Iterator[Server]:
    """A master with its data in `directory`, which may have data of earlier ones."""
    port, session_port = _free_ports(2)
    config = directory / "master.toml"
    config.write_text(
        f'data_dir = "{directory}/data"\nlisten_address = "127.0.0.1"\n'
        f"api_port = {port}\nsession_port = {session_port}\ngrace_s = 86400.0\neviction_s = 86400.0\n"
    )
    with _running([sys.executable, "-m", "cli", "master", "--config", str(config)], directory, port) as server:
        yield server


@contextlib.contextmanager
def floor(directory: Path) -> Iterator[Server]:
    """The servers of floor.py, with a certificate authority and a store of their own in `directory`."""
    port = _free_ports(1)[0]
    command = [sys.executable, "-m", "tests.bench.areas.api.floor", str(directory / "data"), str(port)]
    with _running(command, directory, port) as server:
        yield server


@contextlib.contextmanager
def _running(command: Sequence[str], directory: Path, port: int) -> Iterator[Server]:
    log = directory / "log"
    with log.open("w") as file:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env=_environment(directory))
    try:
        tls = _wait_ready(process, log, directory / "data" / "admin.kubeconfig", port, begin)
        started_s = time.perf_counter() - begin
        times = psutil.Process(process.pid).cpu_times()
        yield Server(psutil.Process(process.pid), port, tls, started_s, times.user + times.system)
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()


def _environment(directory: Path) -> dict[str, str]:
    """Ours, but Python keeps the compiled modules, which an installed release has as well."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, "PYTHONPYCACHEPREFIX": str(directory / "pycache")}


def _wait_ready(
    process: subprocess.Popen[bytes], log: Path, kubeconfig: Path, port: int, begin: float
) -> ssl.SSLContext:
    """Returns the client's TLS context when /readyz answers ok."""
    tls: ssl.SSLContext | None = None
    while process.poll() is None and time.perf_counter() - begin < _START_TIMEOUT_S:
        if tls is None and kubeconfig.exists():
            tls = context_for(load_kubeconfig(kubeconfig))
        if tls is not None and _ready(port, tls):
            return tls
        time.sleep(_LOOK_S)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")


def _ready(port: int, tls: ssl.SSLContext) -> bool:
    try:
        # The server accepts connections before it is ready, and serves them when it is.
        with (
            socket.create_connection(("127.0.0.1", port), _START_TIMEOUT_S) as plain,
            tls.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(request("GET", "/readyz"))
            return secure.recv(4096).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
