"""The negotiated version of the engine's API."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from agent.runtime.client import EngineClient
from agent.runtime.errors import EngineGone
from agent.runtime.faults import translated
from tests.fakes.engine import answering


@pytest.mark.parametrize(
    ("minimum", "spoken"),
    [("1.12", "1.41"), ("1.24", "1.41"), ("1.44", "1.44"), ("2.0", "2.0"), ("", "1.41"), ("odd", "1.41")],
)
def test_the_oldest_common_version_is_used(tmp_path: Path, minimum: str, spoken: str) -> None:
    answers = {"/version": {"MinAPIVersion": minimum}, f"/v{spoken}/info": {"Driver": "overlay2"}}
    with answering(tmp_path / "s", answers) as socket, EngineClient(socket, timeout_s=5) as client:
        assert client.info()["Driver"] == "overlay2"


def test_an_engine_without_a_minimum_version(tmp_path: Path) -> None:
    with (
        answering(tmp_path / "s", {"/version": {}, "/v1.41/info": {"Driver": "vfs"}}) as socket,
        EngineClient(socket, timeout_s=5) as client,
    ):
        assert client.info()["Driver"] == "vfs"


def test_the_version_is_negotiated_again_with_a_newer_engine(tmp_path: Path) -> None:
    answers: dict[str, Any] = {"/version": {"MinAPIVersion": "1.24"}, "/v1.41/info": {"Driver": "vfs"}}
    with answering(tmp_path / "s", answers) as socket, EngineClient(socket, timeout_s=5) as client:
        client.info()
        refused = {"message": "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade"}
        answers["/version"] = {"MinAPIVersion": "1.44"}
        answers["/v1.41/info"] = (HTTPStatus.BAD_REQUEST, refused)
        answers["/v1.44/info"] = {"Driver": "overlay2"}
        with pytest.raises(EngineGone, match="has been replaced"), translated("info"):
            client.info()
        assert client.info()["Driver"] == "overlay2"
