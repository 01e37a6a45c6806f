"""Errors of the connection: only an engine that does not answer counts as one that is gone."""

from __future__ import annotations

import json
from unittest import mock

import aiohttp
import pytest

from agent.runtime.errors import BadRequest, EngineFault, EngineGone, RuntimeFault, TimedOut
from agent.runtime.faults import readable, translated


def unreadable_answer() -> aiohttp.ClientResponseError:
    return aiohttp.ClientResponseError(mock.Mock(real_url="http://engine"), (), status=400, message="Bad status line")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (aiohttp.ServerDisconnectedError(), EngineGone),
        (aiohttp.ClientPayloadError("the answer broke off"), EngineGone),
        (ConnectionResetError("a"), EngineGone),
        (FileNotFoundError("no socket"), EngineGone),
        (TimeoutError(), TimedOut),
        (unreadable_answer(), EngineFault),
        (json.JSONDecodeError("a", "b", 0), EngineFault),
        (aiohttp.InvalidURL("http://a b"), BadRequest),
        (ValueError("a header with a line break"), BadRequest),
    ],
)
def test_errors_of_the_connection(error: Exception, fault: type[RuntimeFault]) -> None:
    with pytest.raises(fault, match=r"^pull a: ") as caught, translated("pull a"):
        raise error
    assert type(caught.value) is fault


@pytest.mark.parametrize("answer", [[], None, {}, "text", {"Id": None}])
def test_an_answer_of_an_unknown_form_is_the_engines_fault(answer: object) -> None:
    with pytest.raises(EngineFault, match="inspect a"), readable("inspect a"):
        answer["Id"]["x"]  # type: ignore[index]
