"""A pod's status as Kubernetes documents it, computed from the desired, observed and remembered state.

Owns phase, container states and their reasons. Pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from agent.model import Container, Pod, PodPhase
from agent.pods.actions import NETWORK_KEY, SANDBOX_KEY, VOLUMES_KEY, Key, On
from agent.pods.admission import Refusal
from agent.pods.conditions import conditions
from agent.pods.durations import go_duration
from agent.pods.lifecycle import any_app, finished, has_begun, next_init, succeeded, trigger
from agent.pods.memory import Memory, Retry
from agent.pods.observed import Instance, Observed
from agent.pods.roles import Role, role_of, sidecars
from agent.pods.stage import Stage, Standing, standing_of
from agent.pods.trees import trees_of
from agent.pods.volumeimages import image_due
from agent.runtime.records import ContainerPhase
from agent.statuses import NO_IMAGES, ContainerState, ContainerStatus, PodStatus, Running, Terminated, Waiting

MessageOf = Callable[[str, int], str]
"""Container and attempt → the content of its termination message file."""


def pod_status(
    pod: Pod,
    observed: Observed,
    memory: Memory,
    *,
    now: float,
    host_ip: str,
    engine: str,
    message_of: MessageOf,
    previous: PodStatus | None,
) -> PodStatus:
    """The complete status; ids of containers and images begin with the engine's name, e.g. `docker://`.

    Conditions keep the time of their last transition from `previous`.
    """
    if memory.refusal is not None:
        return _refused(pod, memory.refusal, memory, now=now, host_ip=host_ip, previous=previous)
    reader = _Reader(pod, observed, memory, now, message_of, engine=engine)
    inits = tuple(map(reader.status, pod.init_containers))
    apps = tuple(map(reader.status, pod.containers))
    names = {sidecar.name for sidecar in sidecars(pod)}
    added = tuple(map(reader.status, pod.ephemeral_containers))
    lasting = (*(status for status in inits if status.name in names), *apps)
    # As in Kubernetes, a pod has not ended as long as one of its containers runs.
    verdict = memory.verdict if not observed.running else None
    phase = verdict.phase if verdict is not None else _phase(pod, observed)
    # Containers that have begun prove that the init containers were done, whatever happened to the sandbox later.
    init_done = next_init(pod, observed) is None or has_begun(pod, observed)
    return PodStatus(
        uid=pod.uid,
        namespace=pod.namespace,
        name=pod.name,
        phase=phase,
        conditions=conditions(
            pod,
            phase,
            connected=observed.connected,
            incomplete=None if init_done else _incomplete(inits, names),
            lasting=lasting,
            restarting=trigger(pod, observed) is not None,
            verdict=memory.verdict,
            now=now,
            previous=previous,
        ),
        reason=verdict.reason if verdict is not None else "",
        message=verdict.message if verdict is not None else "",
        host_ip=host_ip,
        pod_ip=observed.address,
        start_time=memory.started_at,
        init_containers=inits,
        containers=apps,
        ephemeral_containers=added,
        observed_generation=pod.generation,
    )


def _refused(
    pod: Pod, refusal: Refusal, memory: Memory, *, now: float, host_ip: str, previous: PodStatus | None
) -> PodStatus:
    """The status of a pod that the node does not run. Without containers, clients show its reason as its state."""
    phase = PodPhase.FAILED
    return PodStatus(
        uid=pod.uid,
        namespace=pod.namespace,
        name=pod.name,
        phase=phase,
        conditions=conditions(
            pod,
            phase,
            connected=False,
            incomplete=[container.name for container in pod.init_containers],
            lasting=(),
            restarting=False,
            verdict=None,
            now=now,
            previous=previous,
        ),
        reason=refusal.reason,
        message=f"Pod was rejected: {refusal.message}",
        host_ip=host_ip,
        start_time=memory.started_at,
        observed_generation=pod.generation,
    )


def _phase(pod: Pod, observed: Observed) -> PodPhase:
    stopped = pod.deleted and any_app(pod, observed)
    if not observed.running and (stopped or finished(pod, observed)):
        all_succeeded = all(succeeded(observed.newest(container.name)) for container in pod.containers)
        return PodPhase.SUCCEEDED if all_succeeded else PodPhase.FAILED
    for container in pod.containers:
        newest = observed.newest(container.name)
        created = newest is None or newest.record.phase is ContainerPhase.CREATED
        begun = newest is not None and not created and (newest.exited or observed.health_of(newest.id).hooked)
        if not begun and observed.last_ended(container.name) is None:
            return PodPhase.PENDING
    return PodPhase.RUNNING


class _Reader:
    """Computes the status of one container after the other."""

    def __init__(
        self,
        pod: Pod,
        observed: Observed,
        memory: Memory,
        now: float,
        message_of: MessageOf,
        *,
        engine: str,
    ) -> None:
        self._engine = engine
        self._pod = pod
        self._observed = observed
        self._memory = memory
        self._now = now
        self._message_of = message_of

    def status(self, container: Container) -> ContainerStatus:
        standing = standing_of(self._pod, container, self._observed, self._memory, self._now)
        newest = standing.instance
        state, last = self._states(container, standing)
        is_running = isinstance(state, Running)
        started = is_running and newest is not None and self._observed.health_of(newest.id).started
        role = role_of(self._pod, container)
        ready = succeeded(newest) if role is Role.INIT else started and self._is_ready(newest)
        return ContainerStatus(
            name=container.name,
            state=state,
            last_state=last,
            # Nothing depends on an ephemeral container: as in Kubernetes, it never is ready.
            ready=ready and role is not Role.EPHEMERAL,
            started=started,
            restart_count=max(0, self._observed.attempts.get(container.name, 0)),
            image=container.image,
            image_id=f"{self._engine}://{newest.record.image_id}"
            if newest is not None and newest.record.image_id
            else "",
            container_id=f"{self._engine}://{newest.id}" if newest is not None else "",
            read_only_trees=trees_of(newest.record.labels) if newest is not None else (),
            volume_images=self._volume_images(container) if newest is not None else NO_IMAGES,
            user=self._observed.users.get(newest.id) if newest is not None else None,
        )

    def _volume_images(self, container: Container) -> Mapping[int, str]:
        images = self._observed.image_volumes
        return {
            place: f"{self._engine}://{images[mount.name]}"
            for place, mount in enumerate(container.volume_mounts)
            if mount.name in images
        }

    def _is_ready(self, newest: Instance | None) -> bool:
        return newest is not None and self._observed.health_of(newest.id).ready

    def _states(self, container: Container, standing: Standing) -> tuple[ContainerState, Terminated | None]:
        """The present state, and the end of the instance before."""
        instances = self._observed.containers.get(container.name, ())
        ends = [self._terminated(container, instance) for instance in instances if instance.exited]
        last = ends[-1] if ends else None
        before = ends[-2] if len(ends) > 1 else None
        match standing:
            case Standing(instance=Instance() as newest) if newest.running and standing.stage is not Stage.STARTING:
                return Running(newest.record.started_at), last
            case Standing(Stage.BACKS_OFF):
                return self._backs_off(container, standing.delay_s), last
            case Standing(Stage.RESTARTS) if (failure := self._failure(container)) is not None:
                return failure, last
            case Standing(Stage.ENDED | Stage.RESTARTS) if last is not None:
                return last, before
            case _:
                return self._waiting(container), last

    def _waiting(self, container: Container) -> Waiting:
        failure = self._failure(container)
        if failure is not None:
            return failure
        # As in Kubernetes, one init container changes the reason of all containers.
        reason = "PodInitializing" if self._pod.init_containers else "ContainerCreating"
        for key in (SANDBOX_KEY, NETWORK_KEY, VOLUMES_KEY):
            retry = self._memory.retries.get(key)
            if retry is not None:
                return Waiting(reason, retry.waiting.message)
        return Waiting(reason)

    def _backs_off(self, container: Container, delay_s: float) -> Waiting:
        pod = f"{self._pod.name}_{self._pod.namespace}({self._pod.uid})"
        text = f"back-off {go_duration(delay_s)} restarting failed container={container.name} pod={pod}"
        return Waiting("CrashLoopBackOff", text)

    def _failure(self, container: Container) -> Waiting | None:
        """The failure that keeps the container from being created."""
        pull = self._memory.retries.get(Key(On.IMAGE, container.name))
        if pull is not None:
            return self._pull_failure(container, pull)
        retry = self._memory.retries.get(Key(On.CONTAINER, container.name))
        return retry.waiting if retry is not None else None

    def _pull_failure(self, container: Container, pull: Retry) -> Waiting:
        if not pull.backs_off(self._now):
            return pull.waiting
        image = image_due(self._pod, container, self._observed)
        text = f'Back-off pulling image "{image}": {pull.waiting.reason}: {pull.waiting.message}'
        return Waiting("ImagePullBackOff", text)

    def _terminated(self, container: Container, instance: Instance) -> Terminated:
        record = instance.record
        if record.oom_killed:
            reason = "OOMKilled"
        elif record.error and not record.started_at:
            reason = "ContainerCannotRun"
        else:
            reason = "Error" if record.exit_code or record.error else "Completed"
        return Terminated(
            exit_code=record.exit_code,
            reason=reason,
            message=self._message_of(container.name, instance.attempt) or record.error,
            # For a container that ended at once, the engine may record a start after the end.
            started_at=min(record.started_at, instance.ended_at),
            finished_at=instance.ended_at,
            container_id=f"{self._engine}://{instance.id}",
        )


def _incomplete(inits: tuple[ContainerStatus, ...], sidecars: AbstractSet[str]) -> list[str]:
    """The init containers that are not done; a sidecar has done its part when it has started."""
    return [each.name for each in inits if not (each.started if each.name in sidecars else each.ready)]
