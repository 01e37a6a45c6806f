"""The images of one pod's containers: present or pulled, with the credentials of the pod's secrets.

Owns the order in which credentials are tried, and the events about pulls. keyring.py knows which of them are for an
image.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.clock import Clock
from agent.model import Container, Desired, ObjectRef, Pod, PullPolicy
from agent.pods.durations import go_duration
from agent.pods.errors import ImageMissing, PullSecretError
from agent.pods.events import EventRecorder
from agent.pods.keyring import candidates
from agent.runtime.errors import ImageNotFound, PullFailed
from agent.runtime.images import Credentials, Pulled
from agent.runtime.interface import Runtime


class Images:
    """Sees to it that the engine has the images of one pod."""

    def __init__(self, runtime: Runtime, clock: Clock, events: EventRecorder) -> None:
        self._runtime = runtime
        self._clock = clock
        self._events = events

    async def ensure(self, pod: Pod, container: Container, desired: Desired) -> None:
        """By the container's pull policy. Raises ImageMissing, PullSecretError, RuntimeFault."""
        image, name = container.image, container.name
        if container.pull_policy is not PullPolicy.ALWAYS and await self._runtime.images.id_of(image) is not None:
            text = f'Container image "{image}" already present on machine and can be accessed by the pod'
            self._events.normal("Pulled", text, container=name)
            return
        if container.pull_policy is PullPolicy.NEVER:
            raise ImageMissing(f'Container image "{image}" is not present with pull policy of Never')
        self._events.normal("Pulling", f'Pulling image "{image}"', container=name)
        began = self._clock.monotonic()
        pulled = await self._pull(image, self._credentials(pod, image, desired))
        whole_s = self._clock.monotonic() - began
        times = f"{go_duration(pulled.took_s)} ({go_duration(whole_s)} including waiting)"
        text = f'Successfully pulled image "{image}" in {times}. Image size: {pulled.size_bytes} bytes.'
        self._events.normal("Pulled", text, container=name)

    def _credentials(self, pod: Pod, image: str, desired: Desired) -> tuple[Credentials, ...]:
        refs = [ObjectRef(pod.namespace, name) for name in pod.pull_secrets]
        missing = [ref for ref in refs if ref not in desired.secrets]
        if missing and not desired.secrets_known:
            raise PullSecretError(
                f'secret "{missing[0]}" is not stored on this node: waiting for the master to send it'
            )
        if missing:
            names = ", ".join(ref.name for ref in missing)
            text = (
                f"Unable to retrieve some image pull secrets ({names}); attempting to pull the image may not succeed."
            )
            self._events.warning("FailedToRetrieveImagePullSecret", text)
        return candidates((desired.secrets[ref] for ref in refs if ref in desired.secrets), image)

    async def _pull(self, image: str, credentials: Iterable[Credentials]) -> Pulled:
        """Try one after the other. If all fail, the last error has the texts of all."""
        problems: list[str] = []
        for candidate in (*credentials, None):
            if candidate is None and problems:
                break  # as in Kubernetes, an image for which there are credentials is not pulled without
            try:
                return await self._runtime.images.pull(image, candidate)
            except (PullFailed, ImageNotFound) as error:
                problems.append(str(error))
                failed = type(error)
        raise failed("; ".join(problems))
