"""Which pods may use an image that is on the node already: the rules of the kubelet (KEP-2535). Pure functions.

An image that this agent pulled with a pod's secret is only for pods with that secret, or with the same credentials.
pullrecords.py remembers how images were pulled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from agent.model import ObjectRef
from agent.pods.interface import ImageVerification
from agent.pods.keyring import Candidate, repository


@dataclass(frozen=True, slots=True)
class PullSecret:
    """A secret with which an image was pulled. `digest`: of its credentials for the image; `uid` may be unknown."""

    ref: ObjectRef
    uid: str
    digest: str

    def is_of(self, candidate: Candidate, image_id: str) -> bool:
        """Whether the candidate has the same credentials, or is the same secret with changed ones."""
        same = bool(self.uid) and (self.ref, self.uid) == (candidate.secret, candidate.uid)
        return same or self.digest == digest(candidate, image_id)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use an image under one name. Without anything, only pods that can pull it again."""

    everyone: bool = False
    secrets: tuple[PullSecret, ...] = ()

    def granted(self, by: Candidate | None, image_id: str) -> Access:
        """The access after a pull with these credentials; None: with the node's own, or without any."""
        if by is None or self.everyone:
            return Access(everyone=True)
        new = PullSecret(by.secret, by.uid, digest(by, image_id))
        others = (each for each in self.secrets if (each.ref, each.uid) != (new.ref, new.uid))
        return replace(self, secrets=(*others, new))

    def allows(self, image_id: str, candidates: Iterable[Candidate], unknown: AbstractSet[ObjectRef]) -> bool:
        """Whether a pod may use the image that has these credentials, and these secrets that the node does not know.

        While the master is away, a restarted agent has no secrets. The name of the secret is enough then, so that the
        node's pods start again after a reboot.
        """
        if self.everyone:
            return True
        tried = tuple(candidates)
        return any(
            secret.ref in unknown or any(secret.is_of(each, image_id) for each in tried) for secret in self.secrets
        )


def digest(candidate: Candidate, image_id: str) -> str:
    """A hash of the credentials, another one for each image. The credentials themselves are not written to disk."""
    credentials = candidate.credentials
    content = json.dumps([image_id, credentials.username, credentials.password])
    return hashlib.sha256(content.encode()).hexdigest()


def is_verified(verification: ImageVerification, image: str, *, pulled: bool) -> bool:
    """Whether the node's policy demands that a pod has credentials for this image, if it is on the node.

    `pulled`: this agent pulled it. Others are preloaded.
    """
    match verification.policy:
        case "NeverVerify":
            return False
        case "NeverVerifyPreloadedImages":
            return pulled
        case "NeverVerifyAllowlistedImages":
            return not any(_matches(pattern, repository(image)) for pattern in verification.allowlist)
        case _:
            return True


def _matches(pattern: str, name: str) -> bool:
    """By the whole name without tag and digest; a pattern that ends with `/*` stands for all names that begin so."""
    return name.startswith(pattern[:-1]) if pattern.endswith("/*") else name == pattern
