"""Errors that the Docker SDK raises by itself: only a missing engine counts as one that is gone."""

from __future__ import annotations

import docker.errors
import pytest
import requests.exceptions

from agent.runtime.errors import BadRequest, EngineGone, InvalidImageName, RuntimeFault
from agent.runtime.faults import translated


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (docker.errors.InvalidRepository("http://a"), InvalidImageName),
        (docker.errors.NullResource("no id"), BadRequest),
        (docker.errors.InvalidArgument("a"), BadRequest),
        (requests.exceptions.InvalidURL("a"), BadRequest),
        (docker.errors.DockerException("Error while fetching server API version"), EngineGone),
        (requests.exceptions.ConnectionError("a"), EngineGone),
        (requests.exceptions.ReadTimeout("a"), EngineGone),
        (ConnectionResetError("a"), EngineGone),
    ],
)
def test_errors_of_the_sdk(error: Exception, fault: type[RuntimeFault]) -> None:
    with pytest.raises(fault) as caught, translated("pull a"):
        raise error
    assert type(caught.value) is fault
