"""The images of one pod's containers: present or pulled, with the credentials of the pod's secrets.

Owns the order in which credentials are tried, and the events about pulls. keyring.py knows which of them are for an
image.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.clock import Clock
from agent.model import Container, Desired, ObjectRef, Pod, PullPolicy
from agent.pods.errors import ImageMissing, PullSecretError
from agent.pods.events import EventRecorder
from agent.pods.keyring import candidates
from agent.runtime.errors import ImageNotFound, PullFailed
from agent.runtime.images import Credentials
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
            self._events.normal("Pulled", f'Container image "{image}" is already on the node', container=name)
            return
        if container.pull_policy is PullPolicy.NEVER:
            raise ImageMissing(f'image "{image}" is not on the node, and imagePullPolicy is Never')
        self._events.normal("Pulling", f'Pulling image "{image}"', container=name)
        began = self._clock.monotonic()
        await self._pull(image, self._credentials(pod, image, desired))
        took_s = self._clock.monotonic() - began
        self._events.normal("Pulled", f'Pulled image "{image}" in {took_s:.2f} s', container=name)

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

    async def _pull(self, image: str, credentials: Iterable[Credentials]) -> None:
        """Try one after the other. If all fail, the last error has the texts of all."""
        problems: list[str] = []
        for candidate in (*credentials, None):
            if candidate is None and problems:
                break  # as in Kubernetes, an image for which there are credentials is not pulled without
            try:
                await self._runtime.images.pull(image, candidate)
                return
            except (PullFailed, ImageNotFound) as error:
                problems.append(str(error))
                failed = type(error)
        raise failed("; ".join(problems))
