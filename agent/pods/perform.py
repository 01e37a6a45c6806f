"""Performs one action for a pod and records its result in the pod's view.

Owns the order of calls inside an action, and the events about success. Decides nothing: step.py chooses the actions,
failures.py says what a failure means.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from agent.clock import Clock
from agent.errors import AgentError
from agent.model import Container, Desired, LogOptions, Pod
from agent.pods.actions import (
    Action,
    AttachNetwork,
    CleanDisk,
    CreateContainer,
    CreateSandbox,
    DetachNetwork,
    EnsureImage,
    KeepVerdict,
    MarkReplaced,
    PostStart,
    PrepareVolumes,
    PreStop,
    ReadMessage,
    ReadUser,
    RefreshContainer,
    ReleaseNetwork,
    ReleaseTrees,
    ReleaseVolumes,
    RemoveContainer,
    SignalContainer,
    StartContainer,
    StartSandbox,
)
from agent.pods.admission import problem_of_added
from agent.pods.env import PodFacts, environment
from agent.pods.envsources import read_env_files, reads_files
from agent.pods.errors import ContainerConfigError
from agent.pods.events import EventRecorder
from agent.pods.files import PodFiles, seccomp_profile
from agent.pods.hooks import Hooks
from agent.pods.hostports import published_ports
from agent.pods.images import Images
from agent.pods.imagevolumes import ImageVolumes
from agent.pods.instances import create, kind_of
from agent.pods.interface import PodNetwork, PodsConfig, TokenIssuer
from agent.pods.keeper import HealthKeeper
from agent.pods.mounting import devices, volume_mounts
from agent.pods.names import identify
from agent.pods.pullrecords import PullRecords
from agent.pods.roles import Role, role_of
from agent.pods.room import Room
from agent.pods.security import needs_image_user, own_seccomp_profile
from agent.pods.spec import container_spec, privileges, sandbox_spec
from agent.pods.tokens import PodTokens
from agent.pods.users import Users
from agent.pods.view import PodView
from agent.probes.interface import Prober
from agent.runtime import pause
from agent.runtime.containers import Containers, Privileges
from agent.runtime.errors import BadRequest, ImageNotFound, NoSuchContainer, StartRefused
from agent.runtime.interface import Runtime
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.runtime.sandboxes import Sandboxes
from agent.volumes.interface import Mounted
from agent.volumes.manager import Volumes

_MESSAGE_LINES: Final = 80
_MESSAGE_BYTES: Final = 2048
"""How much of a log becomes a termination message: the kubelet's limits."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What all workers share: the parts that actions use."""

    runtime: Runtime
    network: PodNetwork
    volumes: Volumes
    config: PodsConfig
    clock: Clock
    prober: Prober
    tokens: TokenIssuer
    room: Room
    pull_records: PullRecords


class Performer:
    """Performs the actions of one pod. The worker keeps `pod` and `desired` up to date."""

    def __init__(
        self, context: WorkerContext, view: PodView, files: PodFiles, events: EventRecorder, pod: Pod, desired: Desired
    ) -> None:
        self.pod = pod
        self.desired = desired
        self._runtime = context.runtime
        self._network = context.network
        self._volumes = context.volumes
        self._config = context.config
        self._clock = context.clock
        self._view = view
        self.keeper = HealthKeeper(view, files)
        self._files = files
        self._events = events
        self._hooks = Hooks(context.prober, view, self.keeper, files, events)
        self._users = Users(context.runtime, view, files, context.config.proc)
        self._images = Images(
            context.runtime, context.clock, events, context.pull_records, context.config.image_verification
        )
        self._image_volumes = ImageVolumes(self._images, context.runtime.images, context.volumes.images)
        self._image_ids: dict[str, str] = {}
        """The image that each container may use, as of the last check."""
        view.image_volumes |= self._image_volumes.mounted(pod)
        self._mounted: Mounted = {}
        self.tokens = PodTokens(context.tokens, context.clock)

    async def perform(self, action: Action, *, started_at: float) -> None:
        """Perform the action. Raises AgentError. `started_at`: when this node began to run the pod."""
        match action:
            case CreateSandbox():
                await self._create_sandbox(action, started_at)
            case StartSandbox():
                await self._start_sandbox(action)
            case AttachNetwork():
                await self._attach(action)
            case PrepareVolumes():
                await self._prepare_volumes()
            case EnsureImage():
                await self._ensure_image(action)
            case CreateContainer():
                await self._create_container(action)
            case StartContainer():
                await self._start_container(action)
            case SignalContainer():
                await self._signal(action)
            case MarkReplaced():
                self._files.mark_replaced(action.container, action.id)
                self._view.mark_replaced(action.id)
            case ReadUser():
                await self._users.read(action)
            case _:
                await self._perform_more(action)

    async def _perform_more(self, action: Action) -> None:
        match action:
            case PostStart():
                await self._hooks.post_start(self.pod, action)
            case PreStop():
                await self._hooks.pre_stop(self.pod, action)
            case RefreshContainer():
                await self._refresh(action)
            case ReadMessage():
                await self._read_message(action)
            case ReleaseTrees():
                await self._volumes.release_trees(self.pod.uid, action.container)
                self._view.released.add(action.id)
            case RemoveContainer():
                await self._remove(action)
            case DetachNetwork():
                if not self.pod.host_network:
                    await self._network.detach(self.pod.uid)
                self._view.attached = None
            case ReleaseNetwork():
                await self._release_network()
            case KeepVerdict():
                await asyncio.to_thread(self._files.keep_verdict, action.verdict)
                self._view.verdict_kept = True
            case ReleaseVolumes() | CleanDisk():
                await self._remove_files(action)
            case _:
                raise AssertionError(f"unknown action: {action}")

    async def _remove_files(self, action: ReleaseVolumes | CleanDisk) -> None:
        if isinstance(action, ReleaseVolumes):
            await self._volumes.release(self.pod.uid)
            self._view.volumes_ready, self._view.volumes_released = False, True
            self._view.image_volumes.clear()
        else:
            await self._volumes.clean(self.pod.uid)
            self._view.disk_clean = True

    async def _create_sandbox(self, action: CreateSandbox, started_at: float) -> None:
        spec = sandbox_spec(self._config, self.pod, self.desired.dns, attempt=action.attempt, started_at=started_at)
        if action.attempt > 0:
            self._events.normal("SandboxChanged", "The pod's sandbox has ended; creating a new one.")
        self._view.network_released = False
        runtime = self._runtime
        try:
            self._view.put(await create(runtime.sandboxes, spec, runtime.images, self._clock))
        except ImageNotFound:
            if spec.image == pause.REFERENCE:
                await runtime.images.load(pause.archive())
            else:
                await runtime.images.pull(spec.image)
            self._view.put(await create(runtime.sandboxes, spec, runtime.images, self._clock))

    async def _start_sandbox(self, action: StartSandbox) -> None:
        try:
            await self._runtime.sandboxes.start(action.id)
            self._view.put(await self._runtime.sandboxes.inspect(action.id))
        except NoSuchContainer:
            self._view.drop(action.id)
            raise

    async def _attach(self, action: AttachNetwork) -> None:
        if self.pod.host_network:
            self._view.address = self.desired.host_ip
        else:
            try:
                ports = published_ports(self.pod)
                self._view.address = str(await self._network.attach(self.pod.uid, action.pid, ports))
            except AgentError:
                # The sandbox may be gone, or may have another pid.
                await self._refresh(RefreshContainer(action.sandbox))
                raise
        self._files.write_hosts(self.pod, self._view.address, self.desired.dns)
        self._view.attached = action.sandbox

    async def _release_network(self) -> None:
        if not self.pod.host_network:
            await self._network.detach(self.pod.uid)
            await self._network.release(self.pod.uid)
        self._view.network_released = True

    async def _prepare_volumes(self) -> None:
        pod, desired = self.pod, self.desired
        self._view.volumes_changed = False
        if (formed := self._files.prepare(pod, desired.dns)) is not None:
            for reason, message in formed.complaints:
                self._events.warning(reason, message)
        if pod.volumes:
            tokens = await self.tokens.of(pod)
            self._mounted = await self._volumes.prepare(pod, desired, tokens)
        self._view.volumes_ready = not self._view.volumes_changed
        self._view.disk_clean = self._view.volumes_released = False

    async def _ensure_image(self, action: EnsureImage) -> None:
        if action.volume:
            image_id = await self._image_volumes.ensure(self.pod, action.container, action.volume, self.desired)
            self._view.image_volumes[action.volume] = image_id
        else:
            name = action.container.name
            self._image_ids[name] = await self._images.ensure(self.pod, action.container, self.desired)
            self._view.images[name] = action.attempt

    async def _create_container(self, action: CreateContainer) -> None:
        pod, container = self.pod, action.container
        target = self._target(container)
        facts = PodFacts(self._config.node_name, self.desired.host_ip, self._view.address, self._config.node)
        reading = partial(read_env_files, container, self._mounted)
        files = await self._volumes.read(pod, reading) if reads_files(container) else {}
        env = environment(pod, container, self.desired, facts, files)
        mounts = await volume_mounts(
            self._volumes, pod, container, self._mounted, env=env, security=self._config.security
        )
        try:
            await self._check_image(container)
            rights = await self._privileges(container)
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
                devices=devices(pod, container, self._mounted),
                privileges=rights,
            )
            self._view.put(await create(self._runtime.containers, spec, self._runtime.images, self._clock))
        except ImageNotFound:
            # The image was removed or replaced after the check: check again.
            self._view.images.pop(container.name, None)
            raise
        except NoSuchContainer:
            # The sandbox to join was removed without an event.
            await self._refresh(RefreshContainer(action.sandbox))
            raise
        self._events.normal("Created", "Container created", container=container.name)

    async def _check_image(self, container: Container) -> None:
        """The name must lead to the image that was checked: the pod may have waited since. Raises ImageNotFound."""
        if await self._runtime.images.id_of(container.image) != self._image_ids.get(container.name):
            raise ImageNotFound(f'image "{container.image}" is not the one that was checked: checking it again')

    def _target(self, container: Container) -> ContainerId | None:
        """The instance whose processes an ephemeral container sees, if it names one. Raises ContainerConfigError."""
        if role_of(self.pod, container) is not Role.EPHEMERAL:
            return None
        if problem := problem_of_added(container, self._config.security):
            raise ContainerConfigError(problem)
        if not container.target:
            return None
        instance = self._view.observed().newest(container.target)
        if instance is None or not instance.running:
            raise ContainerConfigError(f"unable to find target container {container.target}")
        return instance.id

    async def _privileges(self, container: Container) -> Privileges:
        security = container.security
        images, strict = self._runtime.images, self.pod.groups_policy == Pod.STRICT
        user = await images.user_of(container.image) if strict or needs_image_user(security) else ""
        accounts = await images.accounts_of(container.image) if strict else None
        name = own_seccomp_profile(security)
        profile = seccomp_profile(self._config.seccomp_profiles, name) if name else ""
        return privileges(self.pod, container, image_user=user, seccomp_profile=profile, accounts=accounts)

    async def _start_container(self, action: StartContainer) -> None:
        name = action.container.name
        self.keeper.begin(action.container, action.id)
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

    async def _signal(self, action: SignalContainer) -> None:
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

    async def _refresh(self, action: RefreshContainer) -> None:
        before = self._view.get(action.id)
        try:
            record = await self._kind_of(before).inspect(action.id)
            # A record that changed meanwhile is newer; if it is not exact, it gets a refresh of its own.
            if self._view.get(action.id) is before:
                self._view.overwrite(record)
        except NoSuchContainer:
            self._view.drop(action.id)

    async def _read_message(self, action: ReadMessage) -> None:
        if not self._files.termination_message(action.container, action.attempt):
            end = b""
            with contextlib.suppress(NoSuchContainer):
                async for piece in self._runtime.containers.logs(action.id, LogOptions(tail_lines=_MESSAGE_LINES)):
                    end = (end + piece)[-_MESSAGE_BYTES:]
            self._files.write_message(action.container, action.attempt, end)
        self._view.messages.add(action.id)

    async def _remove(self, action: RemoveContainer) -> None:
        record = self._view.get(action.id)
        await self._kind_of(record).remove(action.id)
        self._view.drop(action.id)
        identity = identify(record.labels) if record is not None else None
        if identity is not None and identity.container:
            self._files.forget(identity.container, identity.attempt, action.id)

    def _kind_of(self, record: ContainerRecord | None) -> Containers | Sandboxes:
        """The calls for this record; without one, those of containers."""
        return kind_of(self._runtime, record.labels) if record is not None else self._runtime.containers
