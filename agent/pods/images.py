"""The images of one pod's containers: present or pulled, with the credentials of the pod's secrets.

Owns the order in which credentials are tried, and the events about pulls. keyring.py knows which of them are for an
image, imageaccess.py whether the pod may use one that is present.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from agent.clock import Clock
from agent.model import Container, Desired, ObjectRef, Pod, PullPolicy
from agent.pods.durations import go_duration
from agent.pods.errors import ImageMissing, PullSecretError
from agent.pods.events import EventRecorder
from agent.pods.imageaccess import is_verified
from agent.pods.interface import ImageVerification
from agent.pods.keyring import Candidate, candidates
from agent.pods.pullrecords import PullRecords
from agent.runtime.errors import ImageNotFound, InvalidImageName, PullDenied, PullFailed, PullGivenUp
from agent.runtime.images import Pulled
from agent.runtime.interface import Runtime

_LOG = logging.getLogger(__name__)


class Images:
    """Sees to it that the engine has the images of one pod, and that the pod may use them."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        events: EventRecorder,
        records: PullRecords,
        verification: ImageVerification,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._events = events
        self._records = records
        self._verification = verification

    async def ensure(self, pod: Pod, container: Container, desired: Desired) -> str:
        """By the container's pull policy. Returns the id of the image that the pod may use.

        Raises ImageMissing, PullSecretError, RuntimeFault, OSError.
        """
        image, name, policy = container.image, container.name, container.pull_policy
        await self._records.settle(self._runtime.images)
        present = await self._runtime.images.id_of(image)
        if present is not None and policy is not PullPolicy.ALWAYS and self._may_use(pod, image, present, desired):
            text = f'Container image "{image}" already present on machine and can be accessed by the pod'
            self._events.normal("Pulled", text, container=name)
            return present
        if policy is PullPolicy.NEVER:
            # As in Kubernetes, a pod does not learn whether there is an image that it may not use.
            raise ImageMissing(f'Container image "{image}" is not present with pull policy of Never')
        self._events.normal("Pulling", f'Pulling image "{image}"', container=name)
        began = self._clock.monotonic()
        given = self._candidates(pod, image, desired)
        try:
            pulled = await self._pull(image, present, given)
        except PullDenied as error:
            if given or not pod.pull_secrets:
                raise
            names = ", ".join(pod.pull_secrets)
            text = f"{error}; of the pod's pull secrets ({names}), none that exists is for this registry"
            raise PullDenied(text) from error
        whole_s = self._clock.monotonic() - began
        times = f"{go_duration(pulled.took_s)} ({go_duration(whole_s)} including waiting)"
        text = f'Successfully pulled image "{image}" in {times}. Image size: {pulled.size_bytes} bytes.'
        self._events.normal("Pulled", text, container=name)
        return pulled.id

    def _may_use(self, pod: Pod, image: str, present: str, desired: Desired) -> bool:
        """Whether the pod may use an image that is on the node, by the policy of the node. Raises PullSecretError."""
        access = self._records.access(image, present)
        if not is_verified(self._verification, image, pulled=access is not None):
            return True
        if access is None:
            return False
        refs = _refs(pod)
        unknown = set() if desired.secrets_known else {ref for ref in refs if ref not in desired.secrets}
        return access.allows(present, _given(refs, image, desired), unknown)

    def _candidates(self, pod: Pod, image: str, desired: Desired) -> tuple[Candidate, ...]:
        refs = _refs(pod)
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
        return _given(refs, image, desired)

    async def _pull(self, image: str, present: str | None, given: Iterable[Candidate]) -> Pulled:
        """Pull, and record with which credentials; `present`: the id of the image that is there already."""
        await self._records.begin(image, present)
        try:
            pulled, by = await self._tried(image, given)
        except PullGivenUp:
            self._records.cut_off(image)
            raise
        except (PullFailed, ImageNotFound, InvalidImageName):
            await self._records.failed(image)
            raise
        except BaseException:
            self._records.cut_off(image)
            raise
        try:
            await self._records.succeeded(image, pulled.id, by)
        except OSError as error:
            # The record of the pull's beginning is still there: nobody else may use the image.
            _LOG.warning("image %s: how it was pulled is not written down: %s", image, error)
        return pulled

    async def _tried(self, image: str, given: Iterable[Candidate]) -> tuple[Pulled, Candidate | None]:
        """Try one after the other, and at last those of the node. If all fail, the last error has the texts of all."""
        problems: list[str] = []
        failed: type[PullFailed | ImageNotFound] = PullFailed
        for candidate in (*given, None):
            credentials = candidate.credentials if candidate is not None else None
            try:
                # As in Kubernetes, an image for which there are credentials is not pulled without.
                if candidate is None and problems and not await self._runtime.images.has_own_credentials(image):
                    break
                return await self._runtime.images.pull(image, credentials), candidate
            except (PullFailed, ImageNotFound) as error:
                problems.append(str(error))
                # A pull that the engine may finish counts more than those after it.
                failed = failed if failed is PullGivenUp else type(error)
        raise failed("; ".join(problems))


def _refs(pod: Pod) -> list[ObjectRef]:
    return [ObjectRef(pod.namespace, name) for name in pod.pull_secrets]


def _given(refs: Iterable[ObjectRef], image: str, desired: Desired) -> tuple[Candidate, ...]:
    """The credentials for the image in those of the secrets that the node has. Raises PullSecretError."""
    return candidates((desired.secrets[ref] for ref in refs if ref in desired.secrets), image)
