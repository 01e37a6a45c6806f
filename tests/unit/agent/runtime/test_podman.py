"""Podman's own names of events and causes of errors, without an engine."""

from __future__ import annotations

import json

import docker.errors
import pytest
import requests

from agent.runtime.convert import EVENT_NAMES, event_from_json
from agent.runtime.errors import BadRequest, CreateConflict, EngineFault, NoSuchContainer, RuntimeFault
from agent.runtime.faults import fault_of, has_dependents
from agent.runtime.interface import EventKind


def answer(status: int, body: str) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code, response._content = status, body.encode()
    return docker.errors.APIError("refused", response)


def caused(cause: object) -> docker.errors.APIError:
    return answer(500, json.dumps({"cause": cause, "message": f"it failed: {cause}", "response": 500}))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(caused("no such container"), NoSuchContainer, id="no container to join"),
        pytest.param(caused("that name is already in use"), CreateConflict, id="name in use"),
        pytest.param(caused("disk quota exceeded"), EngineFault, id="another cause"),
        pytest.param(caused(None), EngineFault, id="no cause"),
        pytest.param(answer(500, "no JSON"), EngineFault, id="not JSON"),
        pytest.param(answer(500, "[]"), EngineFault, id="not an object"),
        pytest.param(answer(400, '{"cause": "no such container"}'), BadRequest, id="specific status"),
        pytest.param(answer(409, '{"message": "x"}'), CreateConflict, id="Docker"),
    ],
)
def test_the_cause_decides_where_the_status_is_unspecific(
    error: docker.errors.APIError, kind: type[RuntimeFault]
) -> None:
    assert type(fault_of(error, "create a")) is kind


def test_a_container_with_dependents_is_recognized() -> None:
    assert has_dependents(caused("container already exists"))
    assert not has_dependents(caused("container state improper"))


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
