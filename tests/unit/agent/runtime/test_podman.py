"""Podman's own names of events and causes of errors, without an engine."""

from __future__ import annotations

import json

import pytest

from agent.runtime.convert import EVENT_NAMES, event_from_json
from agent.runtime.errors import (
    BadRequest,
    CreateConflict,
    EngineFault,
    ImageNotFound,
    InvalidImageName,
    NoSuchContainer,
    RuntimeFault,
)
from agent.runtime.events import EventKind
from agent.runtime.faults import error_from_answer, fault_of
from agent.runtime.versions import version_from_json


def caused(cause: object) -> str:
    return json.dumps({"cause": cause, "message": f"it failed: {cause}", "response": 500})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(500, caused("no such container"), NoSuchContainer, id="no container to join"),
        pytest.param(500, caused("that name is already in use"), CreateConflict, id="name in use"),
        pytest.param(500, caused("disk quota exceeded"), EngineFault, id="another cause"),
        pytest.param(500, caused(None), EngineFault, id="no cause"),
        pytest.param(500, "no JSON", EngineFault, id="not JSON"),
        pytest.param(500, "", EngineFault, id="nothing"),
        pytest.param(500, "[]", EngineFault, id="not an object"),
        pytest.param(400, '{"cause": "no such container"}', BadRequest, id="specific status"),
        pytest.param(409, '{"message": "x"}', CreateConflict, id="Docker"),
        pytest.param(404, '{"message": "No such image: a:1"}', ImageNotFound, id="image"),
        pytest.param(404, '{"message": "a: no such image"}', ImageNotFound, id="Podman's image"),
        pytest.param(404, '{"message": "No such container: a"}', NoSuchContainer, id="container"),
        pytest.param(400, '{"message": "No such container: a"}', NoSuchContainer, id="Docker's container to join"),
        pytest.param(400, '{"message": "invalid reference format"}', InvalidImageName, id="bad image name"),
    ],
)
def test_the_cause_decides_where_the_status_is_unspecific(status: int, body: str, kind: type[RuntimeFault]) -> None:
    assert type(fault_of(error_from_answer(status, body.encode()), "create a")) is kind


def test_a_container_with_dependents_is_recognized() -> None:
    assert error_from_answer(500, caused("container already exists").encode()).has_dependents
    assert not error_from_answer(500, caused("container state improper").encode()).has_dependents


@pytest.mark.parametrize(
    ("kind", "action", "expected"),
    [
        ("container", "died", EventKind.DIED),
        ("container", "remove", EventKind.DESTROYED),
        ("container", "cleanup", None),
        ("image", "remove", EventKind.IMAGES_CHANGED),
    ],
)
def test_podmans_event_names(kind: str, action: str, expected: EventKind | None) -> None:
    event = event_from_json(
        {"Type": kind, "Action": action, "Actor": {"ID": "a", "Attributes": {"exitCode": "3"}}, "timeNano": 5}, {}
    )
    assert (event.kind if event else None) == expected
    assert expected is None or action in EVENT_NAMES, "the filter of the event stream must contain it"


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        ([{"Name": "Podman Engine", "Version": "4.3.1"}, {"Name": "OCI Runtime (crun)"}], "podman://4.3.1"),
        ([{"Name": "Engine", "Version": "20.10.24"}, {"Name": "containerd", "Version": "1.6"}], "docker://20.10.24"),
        (None, "docker://20.10.24"),
    ],
)
def test_podman_is_reported_as_what_it_is(components: object, expected: str) -> None:
    assert str(version_from_json({"Version": "20.10.24", "Components": components})) == expected
