"""PullRecords: how this agent pulled the images that are on the node, durably.

Owns the files below `images/` in the agent's state: `pulled/` has one for each image, by its id, and `pulling/` one for
each pull that may be in progress, so that an image whose pull was cut off is not taken for a preloaded one. Images
without a record are preloaded. imageaccess.py says what follows from a record.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from agent.clock import Clock
from agent.model import ObjectRef
from agent.pods.imageaccess import Access, PullSecret
from agent.pods.keyring import Candidate, repository
from agent.runtime.errors import RuntimeFault
from agent.runtime.images import Images
from hull import atomicfile

_LOG = logging.getLogger(__name__)

_DOUBT_S: Final = 60.0
"""An engine may finish a pull that was cut off for this time."""
_UNKNOWN: Final = Access()


@dataclass(frozen=True, slots=True)
class _Pulled:
    """Access by the image's name without tag; `id` is empty if the file cannot be read."""

    id: str = ""
    access: Mapping[str, Access] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Intent:
    """`before`: the id of the image of this name before the pull; empty: there was none."""

    image: str
    before: str
    since: float


class PullRecords:
    """Reads the files when it is made; later only writes them. Calls that write raise OSError, except `settle`."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._pulled_directory, self._pulling_directory = directory / "pulled", directory / "pulling"
        self._clock = clock
        self._pulled = {path.name: _pulled_from(path) for path in _files(self._pulled_directory)}
        intents = (_intent_from(path, clock.monotonic()) for path in _files(self._pulling_directory))
        self._intents = {intent.image: intent for intent in intents if intent is not None}
        self._unwritten: set[str] = set()
        """The ids of images that a cut off pull has got, and that have no record because the disk takes none."""
        self._active: Counter[str] = Counter()
        self._writing = asyncio.Lock()

    def access(self, image: str, image_id: str) -> Access | None:
        """Who may use the image `image_id` under the name `image`; None: it is preloaded."""
        record = self._pulled.get(_name(image_id))
        if record is not None:
            return record.access.get(repository(image), _UNKNOWN)
        if image_id in self._unwritten:
            return _UNKNOWN
        intent = self._intents.get(image)
        return _UNKNOWN if intent is not None and intent.before != image_id else None

    async def begin(self, image: str, before: str | None) -> None:
        """A pull begins. `before`: the id of the image that the node has under this name."""
        async with self._writing:
            if image not in self._intents:
                intent = _Intent(image, before or "", self._clock.monotonic())
                content = json.dumps({"image": image, "before": intent.before})
                await self._write(self._pulling_directory / _name(image), content)
                self._intents[image] = intent
            self._active[image] += 1

    async def succeeded(self, image: str, image_id: str, by: Candidate | None) -> None:
        """The pull has ended with this image; `by`: the credentials of the pod's that the registry accepted."""
        self.cut_off(image)
        async with self._writing:
            name = repository(image)
            known = self._pulled.get(_name(image_id), _Pulled())
            access = known.access.get(name, _UNKNOWN).granted(by, image_id)
            await self._put(_Pulled(image_id, {**known.access, name: access}))
            await self._drop_intent(image)

    async def failed(self, image: str) -> None:
        """The engine has not got the image by this pull."""
        self.cut_off(image)
        async with self._writing:
            await self._drop_intent(image)

    def cut_off(self, image: str) -> None:
        """The pull has ended, and nobody knows how."""
        self._active -= Counter([image])
        if image in self._intents:
            self._intents[image] = replace(self._intents[image], since=self._clock.monotonic())

    async def settle(self, images: Images) -> None:
        """Find out what has come of the pulls that were cut off. Raises RuntimeFault.

        On a disk that takes no record, the image opens to nobody all the same, and it is tried again.
        """
        for image, intent in tuple(self._intents.items()):
            if self._active[image]:
                continue
            present = await images.id_of(image)
            async with self._writing:
                if self._intents.get(image) is not intent or self._active[image]:
                    continue
                if present is not None and present != intent.before:
                    if _name(present) not in self._pulled:
                        self._unwritten.add(present)
                elif self._clock.monotonic() < intent.since + _DOUBT_S:
                    continue
                await self._settled(image, present or "")

    async def _settled(self, image: str, present: str) -> None:
        try:
            if present in self._unwritten:
                await self._put(_Pulled(present))
            await self._drop_intent(image)
        except OSError as error:
            _LOG.warning("image %s: what has come of a pull is not written down: %s", image, error)

    async def prune(self, images: Images) -> None:
        """Forget the images that the node does not have any more. Raises RuntimeFault, OSError."""
        for name, record in tuple(self._pulled.items()):
            if record.id and not await images.has(record.id):
                async with self._writing:
                    # A record that has changed meanwhile is of a later pull.
                    if self._pulled.get(name) is record:
                        await asyncio.to_thread((self._pulled_directory / name).unlink, missing_ok=True)
                        del self._pulled[name]

    async def keep(self, images: Images, every_s: float) -> None:
        """Settle and prune now and then, until cancelled."""
        while True:
            try:
                await self.settle(images)
                await self.prune(images)
            except (RuntimeFault, OSError) as error:
                _LOG.warning("records of pulled images: %s; trying again later", error)
            await self._clock.sleep(every_s)

    async def _put(self, record: _Pulled) -> None:
        await self._write(self._pulled_directory / _name(record.id), _text(record))
        self._pulled[_name(record.id)] = record
        self._unwritten.discard(record.id)

    async def _drop_intent(self, image: str) -> None:
        """Forget that the image may be being pulled, unless another pod pulls it."""
        if not self._active[image] and image in self._intents:
            await asyncio.to_thread((self._pulling_directory / _name(image)).unlink, missing_ok=True)
            del self._intents[image]

    async def _write(self, path: Path, content: str) -> None:
        await asyncio.to_thread(_written, path, content)


def _written(path: Path, content: str) -> None:
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
        for directory in (path.parent.parent, path.parent.parent.parent):
            atomicfile.flush(directory)
    atomicfile.write(path, content)


def _name(text: str) -> str:
    """The file of an image or id: neither can be a file's name."""
    return hashlib.sha256(text.encode()).hexdigest()


def _files(directory: Path) -> list[Path]:
    """The complete files of a directory. What a killed writer left is overwritten by the next one."""
    with suppress(FileNotFoundError):
        return [path for path in directory.iterdir() if not path.name.startswith(".")]
    return []


def _text(record: _Pulled) -> str:
    access = {
        name: {
            "everyone": each.everyone,
            "secrets": [[secret.ref.namespace, secret.ref.name, secret.uid, secret.digest] for secret in each.secrets],
        }
        for name, each in record.access.items()
    }
    return json.dumps({"id": record.id, "access": access})


def _pulled_from(path: Path) -> _Pulled:
    """The record in a file. If it cannot be read, its image opens to nobody."""
    try:
        value = json.loads(path.read_bytes())
        return _Pulled(str(value["id"]), {name: _access_from(each) for name, each in value["access"].items()})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        _LOG.warning("%s: not a record of a pulled image (%r): its pods need the credentials", path, error)
        return _Pulled()


def _access_from(value: Mapping[str, Any]) -> Access:
    secrets = (PullSecret(ObjectRef(space, name), uid, digest) for space, name, uid, digest in value["secrets"])
    return Access(value["everyone"] is True, tuple(secrets))


def _intent_from(path: Path, now: float) -> _Intent | None:
    try:
        value = json.loads(path.read_bytes())
        return _Intent(str(value["image"]), str(value["before"]), now)
    except (OSError, ValueError, LookupError, TypeError) as error:
        _LOG.warning("%s: not a record of a pull (%r)", path, error)
        return None
