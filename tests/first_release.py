"""What the first release left on hosts (tests/fixtures/first-release): read, unpacked, decoded as it decoded.

Imports nothing of the product: what is meant here is the first release's, whatever today's code makes of it.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

FIXTURES: Final = Path(__file__).parent / "fixtures" / "first-release"
RECORDED_AT: Final = datetime(2026, 11, 28, 14, 47, 30, tzinfo=UTC)
"""Just after the recording: every certificate in it is valid then."""
VERSION: Final = "0.1.0"
HOST_FILES: Final = "cli.host.host_files"
"""It runs `python -I -m` this module of a release with the names of roles, which prints host files as JSON."""
_LOCK_IN_WHEEL: Final = "cli/host/requirements.lock"
_HASH: Final = re.compile(rb"--hash=sha256:([0-9a-f]{64})")


# --- files -----------------------------------------------------------------------------------------------------------


def read(name: str) -> bytes:
    """A fixture's content, unpacked when its name ends in .xz."""
    content = (FIXTURES / name).read_bytes()
    return lzma.decompress(content) if name.endswith(".xz") else content


def document(name: str) -> Any:
    """A fixture that is JSON."""
    return json.loads(read(name))


def unpack(name: str, target: Path) -> Path:
    """A fixture that is an archive, below `target`. Only root can give files their owners, so nobody does."""
    with tarfile.open(fileobj=io.BytesIO(read(name))) as archive:
        archive.extractall(target, filter="tar")
    return target


# --- the bundle ------------------------------------------------------------------------------------------------------


def wheel() -> Path:
    """The recorded wheel."""
    (found,) = (FIXTURES / "bundle").glob("sampan-*.whl")
    return found


def lock() -> bytes:
    """The locked requirements, with hashes: what `packages` of `bundle` must satisfy."""
    return _lock_of(wheel())


def _lock_of(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(_LOCK_IN_WHEEL)


def bundle(target: Path, packages: Path, *, python: str) -> Path:
    """The bundle's directory, put together in `target` from our files and a directory of third-party wheels.

    For the recorded Python, every file is the recorded one, byte for byte, unless the package index has a wheel by now
    that fits better: pip takes it only when the lock has its hash. For another Python, `bundle.json` differs too.
    """
    recorded = document("bundle/files.json")
    directory = target / str(recorded["directory"])
    (directory / "wheels").mkdir(parents=True)
    for entry in recorded["ours"]:
        content = (FIXTURES / "bundle" / entry["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["name"]
        if entry["name"] == "bundle.json" and python != recorded["python"]:
            content = json.dumps(json.loads(content) | {"python": python}).encode()
        (directory / entry["name"]).write_bytes(content)
        (directory / entry["name"]).chmod(int(entry["mode"], 8))
    sums = {entry["name"]: entry["sha256"] for entry in recorded["third_party"]}
    for wheel in packages.glob("*.whl"):
        name = f"wheels/{wheel.name}"
        content = wheel.read_bytes()
        assert sums.get(name) in (None, hashlib.sha256(content).hexdigest()), name
        (directory / name).write_bytes(content)
    return directory


def unpack_bundle(bundle: Path, packages: Path, *, python: str, machine: str) -> str:
    """Unpack a newer bundle's directory into a release's site-packages, by the first release's rules; the version.

    They are those of its cli/host/source.py, wheels.py, release.py and host_files.py.
    """
    manifest = json.loads((bundle / "bundle.json").read_text())
    sampan = bundle / str(manifest["wheel"])
    assert (python, machine) == (manifest["python"], manifest["machine"])
    known = {digest.decode() for digest in _HASH.findall(_lock_of(sampan))}
    for other in sorted((bundle / "wheels").glob("*.whl")):
        assert hashlib.sha256(other.read_bytes()).hexdigest() in known, f"{other.name} is not in the lock"
        zipfile.ZipFile(other).extractall(packages)
    zipfile.ZipFile(sampan).extractall(packages)
    assert (packages / f"{HOST_FILES.replace('.', '/')}.py").exists()
    return sampan.name.split("-")[1]


# --- messages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the recorded sessions."""

    caller: str
    method: str
    kind: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTPS request of a joining host, and its answer."""

    caller: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: str


def lines() -> Iterator[Line]:
    """The messages that were sent, in their order."""
    for line in _recorded():
        if "raw" in line:
            yield Line(line["caller"], line["method"], line["kind"], bytes.fromhex(line["raw"]))


def requests() -> Iterator[Request]:
    """What joining hosts asked over HTTPS."""
    for line in _recorded():
        if "http" in line:
            method, path = line["http"].split()
            body = line["body"].encode()
            yield Request(line["caller"], method, path, line["headers"], body, line["status"], line["answer"])


@cache
def _recorded() -> tuple[dict[str, Any], ...]:
    return tuple(map(json.loads, read("protocol/session.jsonl.xz").decode().splitlines()))


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(read("protocol/descriptors.binpb")).file:
        pool.Add(file)
    return pool


def kind(name: str) -> Any:
    """The first release's class of a message, as `HelloReply`."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"sampan.{name}"))


def methods() -> dict[str, tuple[str, str]]:
    """The service's methods, with the names of the message that goes up and the one that comes down."""
    service = _pool().FindServiceByName("sampan.Master")
    return {each.name: (each.input_type.name, each.output_type.name) for each in service.methods}


def meaning(message: Message) -> dict[str, Any]:
    """What a message says, by names of fields; maps and unset fields leave no trace of how it was encoded."""
    return dict(MessageToDict(message, preserving_proto_field_name=True))


def as_it_reads(name: str, raw: bytes) -> dict[str, Any]:
    """What the first release understands of bytes."""
    return meaning(kind(name).FromString(raw))
