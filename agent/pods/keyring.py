"""Which credentials of a pod's pull secrets are for an image: the rules of the kubelet's keyring. Pure functions.

Owns the forms of kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg. Knows neither the registry nor the engine.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from agent.model import ObjectRef, Secret
from agent.pods.errors import PullSecretError
from agent.runtime.images import Credentials
from agent.runtime.references import DOCKER_HUB, divided

_CONFIG_TYPE, _CONFIG_KEY = "kubernetes.io/dockerconfigjson", ".dockerconfigjson"
_OLD_TYPE, _OLD_KEY = "kubernetes.io/dockercfg", ".dockercfg"
_HUB_ENTRY: Final = "index.docker.io"
"""Docker's own key for the registry of images without a host."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A candidate for the registries that `place` matches: a host and perhaps a path, without a scheme."""

    place: str
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Candidate:
    """Credentials that may be for an image, and the secret that has them; an older master does not send its uid."""

    credentials: Credentials
    secret: ObjectRef
    uid: str = ""


def candidates(secrets: Iterable[Secret], image: str) -> tuple[Candidate, ...]:
    """The credentials that may be for the image, in the order in which they are tried: those with a more special place
    come first. `secrets` in the order of the pod. Raises PullSecretError for a secret that cannot be read.
    """
    # Sorting keeps the order of entries for the same place.
    entries = sorted((entry for secret in secrets for entry in _entries(secret)), key=_place, reverse=True)
    target = repository(image)
    found = [entry.candidate for entry in entries if _matches(entry.place, target)]
    if not found and target.startswith(f"{DOCKER_HUB}/"):
        found = [entry.candidate for entry in entries if entry.place == _HUB_ENTRY]
    different: dict[tuple[str, str], Candidate] = {}
    for each in found:
        different.setdefault((each.credentials.username, each.credentials.password), each)
    return tuple(different.values())


def repository(image: str) -> str:
    """The image's whole name without tag and digest: `nginx:1` is `docker.io/library/nginx`."""
    name, _, _ = image.partition("@")
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    host, path = divided(name)
    host = DOCKER_HUB if host == _HUB_ENTRY else host
    return f"{host}/library/{path}" if host == DOCKER_HUB and "/" not in path else f"{host}/{path}"


def _place(entry: _Entry) -> str:
    return entry.place


def _matches(place: str, target: str) -> bool:
    """Each part of the host by its glob, the port exactly, and the path as a prefix."""
    try:
        ours, theirs = urlsplit(f"//{place}"), urlsplit(f"//{target}")
    except ValueError:
        return False  # the engine will say that it is not an image
    (labels, port), (others, other_port) = _host(ours), _host(theirs)
    if port != other_port or len(labels) != len(others) or not theirs.path.startswith(ours.path):
        return False
    return all(fnmatch.fnmatchcase(label, glob) for glob, label in zip(labels, others, strict=True))


def _host(parts: SplitResult) -> tuple[list[str], str]:
    """The host's labels, and the port."""
    host, _, port = parts.netloc.partition(":") if not parts.netloc.startswith("[") else parts.netloc.rpartition("]")
    return host.split("."), port


def _entries(secret: Secret) -> Iterator[_Entry]:
    """The entries of a secret; none if it is of another type. An older master does not send the type."""
    for kind, key in ((_CONFIG_TYPE, _CONFIG_KEY), (_OLD_TYPE, _OLD_KEY)):
        if key in secret.data and secret.type in (kind, ""):
            try:
                value = json.loads(secret.data[key])
                auths = value.get("auths", {}) if key == _CONFIG_KEY else value
                yield from (_Entry(_normal(place), _candidate(auth, secret)) for place, auth in auths.items())
            except (ValueError, AttributeError) as error:
                # The error may quote the content, which is secret.
                raise PullSecretError(f'secret "{secret.ref}": {key} is not a Docker configuration') from error


def _normal(place: str) -> str:
    """Host and path of an entry. `/v1/` and `/v2/`, which Docker writes, mean the whole registry."""
    url = urlsplit(place if place.startswith(("https://", "http://")) else f"https://{place}")
    path = url.path[3:] if url.path.startswith(("/v1/", "/v2/")) else url.path
    return url.netloc + ("" if path == "/" else path)


def _candidate(auth: Mapping[str, Any], secret: Secret) -> Candidate:
    """Raises ValueError, AttributeError."""
    username, password = str(auth.get("username") or ""), str(auth.get("password") or "")
    if auth.get("auth"):
        username, password = _decoded(str(auth["auth"]))
    return Candidate(Credentials(username, password, f'secret "{secret.ref}"'), secret.ref, secret.uid)


def _decoded(auth: str) -> tuple[str, str]:
    """User and password of the field `auth`. Raises ValueError."""
    try:
        # With or without the padding at its end.
        text = base64.b64decode(auth + "=" * (-len(auth) % 4), validate=True).decode()
    except binascii.Error as error:
        raise ValueError("auth: not base64") from error
    username, colon, password = text.partition(":")
    if not colon:
        raise ValueError("auth: without a colon")
    return username, password
