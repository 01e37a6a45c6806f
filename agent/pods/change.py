"""A change of what is desired for one pod: whether its worker has to act, and which pulls stay as they are.

Pure functions of the states before and after. The worker carries out what follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.model import Desired, ObjectRef, Pod, PullPolicy
from agent.pods.actions import Key, On
from agent.pods.refs import pull_secrets, references, shows_labels, tokens_of


@dataclass(frozen=True, slots=True)
class Change:
    """What is desired for a pod and its node, before and after."""

    pod_before: Pod
    desired_before: Desired
    pod: Pod
    desired: Desired

    def needs_action(self) -> bool:
        """Whether anything has changed that the node carries out."""
        refs = references(self.pod)
        if _acted_on(self.pod) != _acted_on(self.pod_before):
            return True
        if _lookup(self.desired, refs) != _lookup(self.desired_before, refs):
            return True
        # The first state of the master after a restart: now there are tokens.
        return self.desired.secrets_known and not self.desired_before.secrets_known and any(tokens_of(self.pod))

    def same_pulls(self) -> set[Key]:
        """The pulls that the new state leaves as they are: of the same images, with the same credentials."""
        before, after = pull_secrets(self.pod_before), pull_secrets(self.pod)
        if _lookup(self.desired, after) != _lookup(self.desired_before, before):
            return set()
        return {Key(On.IMAGE, name) for name, _, _ in _images(self.pod) & _images(self.pod_before)}


def _acted_on(pod: Pod) -> Pod:
    """The pod without what changes nothing on the node. Environment variables get labels when a container starts."""
    pod = replace(pod, generation=0)
    return pod if shows_labels(pod) else replace(pod, labels={}, annotations={})


def _images(pod: Pod) -> set[tuple[str, str, PullPolicy]]:
    return {(each.name, each.image, each.pull_policy) for each in pod.all_containers}


def _lookup(desired: Desired, refs: tuple[tuple[bool, ObjectRef], ...]) -> list[object]:
    """The objects that the pod refers to."""
    objects: list[object] = [(desired.secrets if secret else desired.config_maps).get(ref) for secret, ref in refs]
    return [*objects, desired.secrets_known if any(secret for secret, _ in refs) else True]
