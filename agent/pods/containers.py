"""The containers of one pod: creates, starts, signals and removes them, and records that in the pod's view.

Owns the image that each container may use, and the order of calls inside of these actions. Decides nothing: step.py
chooses the actions. Sandboxes are refreshed and removed here too.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import Final

from agent.model import Container, Desired, LogOptions, Pod
from agent.pods.actions import CreateContainer, EnsureImage, ReadMessage, SignalContainer, StartContainer
from agent.pods.admission import problem_of_added
from agent.pods.context import WorkerContext
from agent.pods.env import PodFacts, environment
from agent.pods.envsources import read_env_files, reads_files
from agent.pods.errors import ContainerConfigError
from agent.pods.events import EventRecorder
from agent.pods.files import PodFiles, seccomp_profile
from agent.pods.images import Images
from agent.pods.instances import create, kind_of
from agent.pods.keeper import HealthKeeper
from agent.pods.mounting import devices, volume_mounts
from agent.pods.names import identify
from agent.pods.roles import Role, role_of
from agent.pods.security import needs_image_user, own_seccomp_profile
from agent.pods.spec import container_spec, privileges
from agent.pods.view import PodView
from agent.runtime.containers import Containers, Privileges
from agent.runtime.errors import BadRequest, ImageNotFound, NoSuchContainer, StartRefused
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.runtime.sandboxes import Sandboxes
from agent.volumes.interface import Mounted

_MESSAGE_LINES: Final = 80
_MESSAGE_BYTES: Final = 2048
"""How much of a log becomes a termination message: the kubelet's limits."""


class PodContainers:
    """Performs the actions on the containers of one pod."""

    def __init__(
        self,
        context: WorkerContext,
        images: Images,
        keeper: HealthKeeper,
        view: PodView,
        files: PodFiles,
        events: EventRecorder,
    ) -> None:
        self._runtime = context.runtime
        self._volumes = context.volumes
        self._config = context.config
        self._clock = context.clock
        self._images = images
        self._keeper = keeper
        self._view = view
        self._files = files
        self._events = events
        self._image_ids: dict[str, str] = {}
        """The image that each container may use, as of the last check."""

    async def ensure_image(self, pod: Pod, action: EnsureImage, desired: Desired) -> None:
        """Make sure that the engine has the container's image, and that the pod may use it."""
        name = action.container.name
        self._image_ids[name] = await self._images.ensure(pod, action.container, desired)
        self._view.images[name] = action.attempt

    async def create(self, pod: Pod, action: CreateContainer, desired: Desired, mounted: Mounted) -> None:
        """Create an instance. `mounted`: the volumes of the pod."""
        container = action.container
        target = self._target(pod, container)
        facts = PodFacts(self._config.node_name, desired.host_ip, self._view.address, self._config.node)
        reading = partial(read_env_files, container, mounted)
        files = await self._volumes.read(pod, reading) if reads_files(container) else {}
        env = environment(pod, container, desired, facts, files)
        mounts = await volume_mounts(self._volumes, pod, container, mounted, env=env, security=self._config.security)
        try:
            await self._check_image(container)
            rights = await self._privileges(pod, container)
            spec = container_spec(
                self._config,
                pod,
                container,
                attempt=action.attempt,
                sandbox=action.sandbox,
                sandbox_attempt=action.sandbox_attempt,
                target=target,
                env=env,
                mounts=[*mounts, *self._files.mounts(pod, container, action.attempt)],
                devices=devices(pod, container, mounted),
                privileges=rights,
            )
            self._view.put(await create(self._runtime.containers, spec, self._runtime.images, self._clock))
        except ImageNotFound:
            # The image was removed or replaced after the check: check again.
            self._view.images.pop(container.name, None)
            raise
        except NoSuchContainer:
            # The sandbox to join was removed without an event.
            await self.refresh(action.sandbox)
            raise
        self._events.normal("Created", "Container created", container=container.name)

    async def _check_image(self, container: Container) -> None:
        """The name must lead to the image that was checked: the pod may have waited since. Raises ImageNotFound."""
        if await self._runtime.images.id_of(container.image) != self._image_ids.get(container.name):
            raise ImageNotFound(f'image "{container.image}" is not the one that was checked: checking it again')

    def _target(self, pod: Pod, container: Container) -> ContainerId | None:
        """The instance whose processes an ephemeral container sees, if it names one. Raises ContainerConfigError."""
        if role_of(pod, container) is not Role.EPHEMERAL:
            return None
        if problem := problem_of_added(container, self._config.security):
            raise ContainerConfigError(problem)
        if not container.target:
            return None
        instance = self._view.observed().newest(container.target)
        if instance is None or not instance.running:
            raise ContainerConfigError(f"unable to find target container {container.target}")
        return instance.id

    async def _privileges(self, pod: Pod, container: Container) -> Privileges:
        security = container.security
        images, strict = self._runtime.images, pod.groups_policy == Pod.STRICT
        user = await images.user_of(container.image) if strict or needs_image_user(security) else ""
        accounts = await images.accounts_of(container.image) if strict else None
        name = own_seccomp_profile(security)
        profile = seccomp_profile(self._config.seccomp_profiles, name) if name else ""
        return privileges(pod, container, image_user=user, seccomp_profile=profile, accounts=accounts)

    async def start(self, action: StartContainer) -> None:
        """Start an instance. If the engine cannot start it, it has ended."""
        name = action.container.name
        self._keeper.begin(action.container, action.id)
        try:
            await self._runtime.containers.start(action.id)
        except NoSuchContainer:
            # It was removed, or the sandbox that it was created for: it can never run.
            await self._runtime.containers.remove(action.id)
            self._view.drop(action.id)
            raise
        except StartRefused as error:
            record = await self._runtime.containers.inspect(action.id)
            ended = record.finished_at or self._clock.wall()
            refused = replace(
                record, phase=ContainerPhase.EXITED, error=record.error or str(error), finished_at=ended, started_at=0.0
            )
            self._view.put(refused)
            self._events.warning("Failed", f"Error: {error}", container=name)
            return
        created = self._view.get(action.id)
        if created is not None:
            self._view.put(replace(created, phase=ContainerPhase.RUNNING, started_at=self._clock.wall()))
        self._events.normal("Started", "Container started", container=name)

    async def signal(self, action: SignalContainer) -> None:
        """Send an instance its stop signal, or SIGKILL."""
        if action.replaces:
            self._files.mark_replaced(action.container, action.id)
        if action.force:
            await self._runtime.containers.signal(action.id, "SIGKILL")
            return
        if action.message:
            self._events.normal("Killing", action.message, container=action.container)
        try:
            record = await self._runtime.containers.inspect(action.id)
        except NoSuchContainer:
            self._view.drop(action.id)
            return
        signal = action.signal or record.stop_signal or "SIGTERM"
        try:
            await self._runtime.containers.signal(action.id, signal)
        except BadRequest as error:
            # An image may name any signal. The container must be able to end cleanly all the same.
            text = f"stop signal {signal}: {error}; sending SIGTERM instead"
            self._events.warning("FailedKillPod", text, container=action.container)
            await self._runtime.containers.signal(action.id, "SIGTERM")

    async def refresh(self, container: ContainerId) -> None:
        """Ask the engine about a container or sandbox."""
        before = self._view.get(container)
        try:
            record = await self._kind_of(before).inspect(container)
            # A record that changed meanwhile is newer; if it is not exact, it gets a refresh of its own.
            if self._view.get(container) is before:
                self._view.overwrite(record)
        except NoSuchContainer:
            self._view.drop(container)

    async def read_message(self, action: ReadMessage) -> None:
        """Take the end of the log as the termination message, if the instance has written none."""
        if not self._files.termination_message(action.container, action.attempt):
            end = b""
            with contextlib.suppress(NoSuchContainer):
                async for piece in self._runtime.containers.logs(action.id, LogOptions(tail_lines=_MESSAGE_LINES)):
                    end = (end + piece)[-_MESSAGE_BYTES:]
            self._files.write_message(action.container, action.attempt, end)
        self._view.messages.add(action.id)

    async def remove(self, container: ContainerId) -> None:
        """Remove a container or sandbox, and the files of an instance."""
        record = self._view.get(container)
        await self._kind_of(record).remove(container)
        self._view.drop(container)
        identity = identify(record.labels) if record is not None else None
        if identity is not None and identity.container:
            self._files.forget(identity.container, identity.attempt, container)

    def _kind_of(self, record: ContainerRecord | None) -> Containers | Sandboxes:
        """The calls for this record; without one, those of containers."""
        return kind_of(self._runtime, record.labels) if record is not None else self._runtime.containers
