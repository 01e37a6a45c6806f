"""Opens a process in a container of a pod: a new one, or the container's main process.

Owns the choice of the instance.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from agent.model import Pod, ProcessRequest
from agent.pods.errors import ProcessUnavailable
from agent.pods.observed import Observed
from agent.runtime.process import Command, Exec, Process


def open_process(
    exec_: Exec, pod: Pod, observed: Observed, request: ProcessRequest
) -> AbstractAsyncContextManager[Process]:
    """The process's streams. Raises ProcessUnavailable unless the container runs."""
    newest = observed.newest(request.container)
    if pod.container(request.container) is None or newest is None or not newest.running:
        raise ProcessUnavailable(f'container not found ("{request.container}")')
    command = Command(
        request.command, stdin=request.stdin, stdout=request.stdout, stderr=request.stderr, tty=request.tty
    )
    return exec_.exec(newest.id, command) if request.command else exec_.attach(newest.id, command)
