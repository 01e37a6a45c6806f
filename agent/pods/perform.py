"""Does one action for a pod, and puts down what came of it.

Owns the order of calls inside an action, and the events that tell of success. Decides nothing: what comes next is
step.py's, what a failure means is trouble.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.clock import Clock
from agent.errors import AgentError
from agent.model import Container, Desired, KeysVolume, Pod, PullPolicy
from agent.pods.actions import (
    Action,
    AttachNetwork,
    CleanDisk,
    CreateContainer,
    CreateSandbox,
    DetachNetwork,
    EnsureImage,
    PrepareVolumes,
    RefreshContainer,
    ReleaseNetwork,
    RemoveContainer,
    SignalContainer,
    StartContainer,
    StartSandbox,
)
from agent.pods.env import PodFacts, environment
from agent.pods.errors import ContainerConfigError, ImageMissing
from agent.pods.expand import expand
from agent.pods.files import PodFiles
from agent.pods.names import identify
from agent.pods.ports import PodNetwork, PodsConfig
from agent.pods.spec import container_spec, sandbox_spec
from agent.pods.teller import Teller
from agent.pods.view import PodView
from agent.runtime import pause
from agent.runtime.errors import CreateConflict, ImageNotFound, NoSuchContainer, StartRefused
from agent.runtime.interface import ContainerPhase, ContainerRecord, ContainerSpec, Mount, Runtime
from agent.volumes.interface import Mounted
from agent.volumes.manager import Volumes, mount_source


@dataclass(frozen=True, slots=True)
class Means:
    """What actions are done with; one for all pods."""

    runtime: Runtime
    network: PodNetwork
    volumes: Volumes
    config: PodsConfig
    clock: Clock


class Performer:
    """Does actions for one pod. `pod` and `desired` are kept up to date by the worker."""

    def __init__(
        self, means: Means, view: PodView, files: PodFiles, teller: Teller, pod: Pod, desired: Desired
    ) -> None:
        self.pod = pod
        self.desired = desired
        self._runtime = means.runtime
        self._network = means.network
        self._volumes = means.volumes
        self._config = means.config
        self._clock = means.clock
        self._view = view
        self._files = files
        self._teller = teller
        self._mounted: Mounted = {}

    async def perform(self, action: Action, *, started_at: float) -> None:
        """Does it, or raises an AgentError. `started_at`: when the node took the pod up."""
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
                await self._ensure_image(action.container)
                self._view.images[action.container.name] = action.attempt
            case CreateContainer():
                await self._create_container(action)
            case StartContainer():
                await self._start_container(action)
            case SignalContainer():
                await self._signal(action)
            case _:
                await self._take_away(action)

    async def _take_away(self, action: Action) -> None:
        match action:
            case RefreshContainer():
                await self._refresh(action)
            case RemoveContainer():
                await self._remove(action)
            case DetachNetwork():
                if not self.pod.host_network:
                    await self._network.detach(self.pod.uid)
                self._view.attached = None
            case ReleaseNetwork():
                if not self.pod.host_network:
                    await self._network.detach(self.pod.uid)
                    await self._network.release(self.pod.uid)
                self._view.network_released = True
            case CleanDisk():
                await asyncio.to_thread(self._volumes.clean, self.pod.uid)
                self._view.disk_clean = True
            case _:
                raise AssertionError(f"no such action: {action}")

    async def _create_sandbox(self, action: CreateSandbox, started_at: float) -> None:
        spec = sandbox_spec(self._config, self.pod, attempt=action.attempt, started_at=started_at)
        if action.attempt > 0:
            self._teller.normal("SandboxChanged", "The pod's sandbox has ended; a new one is made.")
        self._view.network_released = False
        try:
            self._view.put(await self._create(spec))
        except ImageNotFound:
            if spec.image == pause.REFERENCE:
                await self._runtime.load(pause.archive())
            else:
                await self._runtime.pull(spec.image)
            self._view.put(await self._create(spec))

    async def _start_sandbox(self, action: StartSandbox) -> None:
        try:
            await self._runtime.start(action.id)
            self._view.put(await self._runtime.inspect(action.id))
        except NoSuchContainer:
            self._view.drop(action.id)
            raise

    async def _attach(self, action: AttachNetwork) -> None:
        if self.pod.host_network:
            self._view.address = self.desired.host_ip
        else:
            try:
                self._view.address = str(await self._network.attach(self.pod.uid, action.pid))
            except AgentError:
                # Is it there, and with this pid, at all?
                await self._refresh(RefreshContainer(action.sandbox))
                raise
            self._files.write_hosts(self.pod, self._view.address)
        self._view.attached = action.sandbox

    async def _prepare_volumes(self) -> None:
        pod, desired = self.pod, self.desired
        self._files.prepare(pod)
        if pod.volumes:
            self._mounted = await asyncio.to_thread(self._volumes.prepare, pod, desired)
        self._view.volumes_ready = True
        self._view.disk_clean = False

    async def _ensure_image(self, container: Container) -> None:
        image, name = container.image, container.name
        if container.pull_policy is not PullPolicy.ALWAYS and await self._runtime.image_id(image) is not None:
            self._teller.normal("Pulled", f'Container image "{image}" is on the node already', container=name)
            return
        if container.pull_policy is PullPolicy.NEVER:
            raise ImageMissing(f'image "{image}" is not on the node, and imagePullPolicy is Never')
        self._teller.normal("Pulling", f'Pulling image "{image}"', container=name)
        began = self._clock.monotonic()
        await self._runtime.pull(image)
        took_s = self._clock.monotonic() - began
        self._teller.normal("Pulled", f'Pulled image "{image}" in {took_s:.2f} s', container=name)

    async def _create_container(self, action: CreateContainer) -> None:
        pod, container = self.pod, action.container
        facts = PodFacts(self._config.node_name, self.desired.host_ip, self._view.address)
        env = environment(pod, container, self.desired, facts)
        spec = container_spec(
            self._config,
            pod,
            container,
            attempt=action.attempt,
            sandbox=action.sandbox,
            sandbox_attempt=action.sandbox_attempt,
            env=env,
            mounts=[*self._volume_mounts(container, env), *self._files.mounts(pod, container, action.attempt)],
        )
        try:
            self._view.put(await self._create(spec))
        except ImageNotFound:
            # It went between the look and the use: look again.
            self._view.images.pop(container.name, None)
            raise
        except NoSuchContainer:
            # The sandbox to join: removed, and nobody told.
            await self._refresh(RefreshContainer(action.sandbox))
            raise
        self._teller.normal("Created", f"Created container {container.name}", container=container.name)

    def _volume_mounts(self, container: Container, env: Mapping[str, str]) -> list[Mount]:
        mounts = []
        # What the master owns is not for containers to write, as Kubernetes has it.
        keys = {each.name for each in self.pod.volumes if isinstance(each.source, KeysVolume)}
        for each in container.volume_mounts:
            volume = self._mounted.get(each.name)
            if volume is None:
                raise ContainerConfigError(f'volumeMount "{each.name}": the pod has no such volume')
            sub_path = expand(each.sub_path_expr, env) if each.sub_path_expr else each.sub_path
            source = str(mount_source(volume, each.name, sub_path))
            mounts.append(Mount(source, each.mount_path, each.read_only or each.name in keys))
        return mounts

    async def _start_container(self, action: StartContainer) -> None:
        name = action.container.name
        try:
            await self._runtime.start(action.id)
        except NoSuchContainer:
            # It, or the sandbox that it was made for, has been removed: it can never run.
            await self._runtime.remove(action.id)
            self._view.drop(action.id)
            raise
        except StartRefused as error:
            record = await self._runtime.inspect(action.id)
            ended = record.finished_at or self._clock.wall()
            refused = replace(
                record, phase=ContainerPhase.EXITED, error=record.error or str(error), finished_at=ended, started_at=0.0
            )
            self._view.put(refused)
            self._teller.warning("Failed", f"Container {name} cannot be started: {error}", container=name)
            return
        created = self._view.get(action.id)
        if created is not None:
            self._view.put(replace(created, phase=ContainerPhase.RUNNING, started_at=self._clock.wall()))
        self._teller.normal("Started", f"Started container {name}", container=name)

    async def _signal(self, action: SignalContainer) -> None:
        if action.force:
            await self._runtime.signal(action.id, "SIGKILL")
            return
        self._teller.normal(
            "Killing", f"Stopping container {action.container}: {action.why}", container=action.container
        )
        try:
            record = await self._runtime.inspect(action.id)
        except NoSuchContainer:
            self._view.drop(action.id)
            return
        await self._runtime.signal(action.id, record.stop_signal or "SIGTERM")

    async def _refresh(self, action: RefreshContainer) -> None:
        before = self._view.get(action.id)
        try:
            record = await self._runtime.inspect(action.id)
            # What came meanwhile is the newer word; if it was not exact, it is looked up in its turn.
            if self._view.get(action.id) is before:
                self._view.look_up(record)
        except NoSuchContainer:
            self._view.drop(action.id)

    async def _remove(self, action: RemoveContainer) -> None:
        record = self._view.get(action.id)
        await self._runtime.remove(action.id)
        self._view.drop(action.id)
        identity = identify(record.labels) if record is not None else None
        if identity is not None and identity.container:
            self._files.forget(identity.container, identity.attempt)

    async def _create(self, spec: ContainerSpec) -> ContainerRecord:
        """Makes the container, or takes over the one of that name: the same instance, made by an earlier life."""
        try:
            made = await self._runtime.create(spec)
        except CreateConflict:
            return await self._runtime.inspect(spec.name)
        return ContainerRecord(
            id=made,
            name=spec.name,
            labels=spec.labels,
            phase=ContainerPhase.CREATED,
            image=spec.image,
            image_id=await self._runtime.image_id(spec.image) or "",
            created_at=self._clock.wall(),
        )
