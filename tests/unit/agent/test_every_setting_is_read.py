"""The agent reads every setting of a pod that the master sends: first into its own values, and then to act on them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor

from agent import handlers, model
from proto.gen import desired_pb2

AGENT = Path(__file__).resolve().parents[3] / "agent"
UNREAD = frozenset(
    {
        # Properties of the model read them.
        "Pod.deletion_at",
        "RestartRule.exit_codes",
        "RestartRule.operator",
    }
)


def attributes(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # Members of a oneof are selected by their names.
            yield node.value


def messages(descriptor: Descriptor) -> Iterator[Descriptor]:
    """A message and all that are in it, each once."""
    known: dict[str, Descriptor] = {}
    open_ = [descriptor]
    while open_:
        message = open_.pop()
        if message.full_name not in known and message.file is descriptor.file:
            known[message.full_name] = message
            open_ += [field.message_type for field in message.fields if field.message_type is not None]
    return iter(known.values())


def test_every_field_of_a_pod_is_converted() -> None:
    files = (AGENT / "wire" / f"{file}.py" for file in ("checks", "desired", "volumes"))
    read = frozenset(name for file in files for name in attributes(file))
    unread = [
        f"{message.name}.{field.name}"
        for message in messages(desired_pb2.Pod.DESCRIPTOR)
        if not message.GetOptions().map_entry
        for field in message.fields
        if field.name not in read
    ]
    assert unread == []


SETTINGS: tuple[type[Any], ...] = (
    model.Pod,
    model.Container,
    model.ContainerPort,
    model.EnvVar,
    model.EnvFrom,
    model.KeyRef,
    model.VolumeMount,
    model.Resources,
    model.RestartRule,
    model.SecurityContext,
    model.Profile,
    model.Volume,
    model.EmptyDir,
    model.HostPath,
    model.FilesVolume,
    model.KeysSource,
    model.KeyToPath,
    model.DownwardSource,
    model.DownwardFile,
    model.ResourceField,
    model.TokenSource,
    model.UnsupportedVolume,
    model.HostAlias,
    model.DnsConfig,
    model.Sysctl,
    handlers.Checks,
    handlers.Probe,
    handlers.RunCommand,
    handlers.HttpGet,
    handlers.TcpConnect,
    handlers.GrpcCheck,
    handlers.Sleep,
)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.__name__)
def test_every_value_is_used(setting: type[Any]) -> None:
    own = {AGENT / "handlers.py", *(AGENT / "model").iterdir(), *(AGENT / "wire").iterdir()}
    read = frozenset(name for path in AGENT.rglob("*.py") if path not in own for name in attributes(path))
    unread = {f"{setting.__name__}.{field.name}" for field in fields(setting) if field.name not in read}
    assert unread == {name for name in UNREAD if name.startswith(f"{setting.__name__}.")}
