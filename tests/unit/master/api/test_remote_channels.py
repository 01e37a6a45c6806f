"""The channels of the remote command protocol: what clients' messages mean, and the forms of the end."""

from __future__ import annotations

import json

import pytest

from master.api.errors import BadRequest
from master.api.remote import subprotocols
from master.api.remote.channels import Event, Input, InputEnd, Resize, ended, event_of, failed
from master.api.remote.subprotocols import V4, V4_TEXT, V5, Subprotocol


@pytest.mark.parametrize(
    ("message", "protocol", "event"),
    [
        pytest.param(b"\x00ls\n", V5, Input(b"ls\n"), id="input"),
        pytest.param(b"\x00", V5, None, id="empty input, as the Python client sends"),
        pytest.param(b"\xff\x00", V5, InputEnd(), id="end of input"),
        pytest.param(b"\xff\x00", V4, None, id="v4 has no end of input"),
        pytest.param(b"\xff\x01", V5, None, id="end of another channel"),
        pytest.param(b'\x04{"Width":80,"Height":24}', V4, Resize(80, 24), id="size"),
        pytest.param(b'\x04{"Width":0,"Height":24}', V4, None, id="no width"),
        pytest.param(b'\x04{"Width":70000,"Height":24}', V4, None, id="wider than the kernel can"),
        pytest.param(b"\x04[", V4, None, id="size that is no JSON"),
        pytest.param(b"\x09x", V5, None, id="unknown channel"),
        pytest.param(b"", V5, None, id="nothing"),
    ],
)
def test_messages(message: bytes, protocol: Subprotocol, event: Event | None) -> None:
    decoded = protocol.decode(message)
    assert (event_of(*decoded, has_close=protocol.has_close) if decoded else None) == event


@pytest.mark.parametrize(
    ("message", "decoded"),
    [
        ("0bHMK", (0, b"ls\n")),
        ("0", (0, b"")),
        ("0b!", None),
        (":bHMK", (10, b"ls\n")),
        ("/bHMK", None),
        ("", None),
        (b"\x00ls", None),
    ],
)
def test_messages_of_text_are_a_digit_and_base64(message: bytes | str, decoded: tuple[int, bytes] | None) -> None:
    assert V4_TEXT.decode(message) == decoded


@pytest.mark.parametrize("protocol", subprotocols.ALL.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("channel", [0, 1, 10, 77])
def test_what_is_encoded_is_decoded(protocol: Subprotocol, channel: int) -> None:
    assert protocol.decode(protocol.encode(channel, b"\x00\xff text")) == (channel, b"\x00\xff text")


def test_an_exit_code_is_in_the_causes() -> None:
    status = json.loads(ended(137))
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "137"}]


@pytest.mark.parametrize("exit_code", [0, None])
def test_success(exit_code: int | None) -> None:
    assert json.loads(ended(exit_code))["status"] == "Success"


def test_a_failure_has_no_exit_code() -> None:
    status = json.loads(failed(BadRequest("the node is gone")))
    assert (status["status"], status["reason"], status["message"]) == ("Failure", "InternalError", "the node is gone")
    assert "details" not in status
