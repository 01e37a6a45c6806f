"""Performs one action for a pod and records its result in the pod's view.

Owns the order of calls inside an action for the whole pod: its sandbox, network, volumes and files. containers.py does
what is for one container. Decides nothing: step.py chooses the actions, failures.py says what a failure means.
"""

from __future__ import annotations

import asyncio

from agent.errors import AgentError
from agent.model import Desired, Pod
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
from agent.pods.containers import PodContainers
from agent.pods.context import WorkerContext
from agent.pods.events import EventRecorder
from agent.pods.files import PodFiles
from agent.pods.hooks import Hooks
from agent.pods.hostports import published_ports
from agent.pods.images import Images
from agent.pods.imagevolumes import ImageVolumes
from agent.pods.instances import create
from agent.pods.keeper import HealthKeeper
from agent.pods.spec import sandbox_spec
from agent.pods.tokens import PodTokens
from agent.pods.users import Users
from agent.pods.view import PodView
from agent.runtime import pause
from agent.runtime.errors import ImageNotFound, NoSuchContainer
from agent.volumes.interface import Mounted


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
        images = Images(context.runtime, context.clock, events, context.pull_records, context.config.image_verification)
        self._containers = PodContainers(context, images, self.keeper, view, files, events)
        self._image_volumes = ImageVolumes(images, context.runtime.images, context.volumes.images)
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
            case DetachNetwork():
                if not self.pod.host_network:
                    await self._network.detach(self.pod.uid)
                self._view.attached = None
            case ReleaseNetwork():
                await self._release_network()
            case PrepareVolumes():
                await self._prepare_volumes()
            case ReleaseTrees():
                await self._volumes.release_trees(self.pod.uid, action.container)
                self._view.released.add(action.id)
            case ReleaseVolumes():
                await self._release_volumes()
            case CleanDisk():
                await self._volumes.clean(self.pod.uid)
                self._view.disk_clean = True
            case KeepVerdict():
                await asyncio.to_thread(self._files.keep_verdict, action.verdict)
                self._view.verdict_kept = True
            case _:
                await self._perform_on_container(action)

    async def _perform_on_container(self, action: Action) -> None:
        match action:
            case EnsureImage():
                await self._ensure_image(action)
            case CreateContainer():
                await self._containers.create(self.pod, action, self.desired, self._mounted)
            case StartContainer():
                await self._containers.start(action)
            case PostStart():
                await self._hooks.post_start(self.pod, action)
            case ReadUser():
                await self._users.read(action)
            case PreStop():
                await self._hooks.pre_stop(self.pod, action)
            case SignalContainer():
                await self._containers.signal(action)
            case MarkReplaced():
                self._files.mark_replaced(action.container, action.id)
                self._view.mark_replaced(action.id)
            case RefreshContainer():
                await self._containers.refresh(action.id)
            case ReadMessage():
                await self._containers.read_message(action)
            case RemoveContainer():
                await self._containers.remove(action.id)
            case _:
                raise AssertionError(f"unknown action: {action}")

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
                await self._containers.refresh(action.sandbox)
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

    async def _release_volumes(self) -> None:
        await self._volumes.release(self.pod.uid)
        self._view.volumes_ready, self._view.volumes_released = False, True
        self._view.image_volumes.clear()

    async def _ensure_image(self, action: EnsureImage) -> None:
        if action.volume:
            image_id = await self._image_volumes.ensure(self.pod, action.container, action.volume, self.desired)
            self._view.image_volumes[action.volume] = image_id
        else:
            await self._containers.ensure_image(self.pod, action, self.desired)
