"""Progress, tables, tokens, the overview, and the policy that keeps services down."""

from __future__ import annotations

import argparse
import base64
import io
from datetime import UTC, datetime, timedelta

import pytest

from cli.progress import Progress
from cli.status import render
from cli.tables import table
from cli.tokens import _duration, _remaining, _secret, address


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_progress_is_a_line_a_step() -> None:
    stream, times = io.StringIO(), iter([0.0, 1.0, 3.5, 4.0])
    progress = Progress(stream, clock=lambda: next(times))
    with progress.step("hosts"):
        pass
    progress.say("done")
    assert stream.getvalue() == "hosts: 2.50 s\ndone\n"
    assert progress.total_s == 4.0


def test_a_failed_step_is_told() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="x"), Progress(stream, clock=lambda: 0.0).step("engines"):
        raise ValueError("x")
    assert stream.getvalue() == "engines: failed after 0.00 s\n"


def test_a_terminal_shows_what_runs_now() -> None:
    stream = Terminal()
    progress = Progress(stream, clock=lambda: 0.0)
    with progress.step("a"), progress.step("b"):
        assert stream.getvalue().endswith("\r\x1b[Ka, b …")
    assert stream.getvalue().endswith("\r\x1b[Ka: 0.00 s\n")


def test_a_table_s_columns_fit() -> None:
    assert table(("A", "LONG"), [("value", "x")]) == "A      LONG\nvalue  x"


def test_a_token_s_secret_is_kubernetes_own() -> None:
    secret = _secret("abcdef.0123456789abcdef", datetime(2026, 1, 2, tzinfo=UTC))
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert secret["metadata"] == {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    assert secret["type"] == "bootstrap.kubernetes.io/token"
    assert data == {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "expiration": "2026-01-02T00:00:00Z",
        "usage-bootstrap-authentication": "true",
    }


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("https://192.0.2.1:6443", "192.0.2.1"),
        ("https://192.0.2.1:7443", "192.0.2.1:7443"),
        ("https://[2001:db8::1]:6443", "[2001:db8::1]"),
        ("https://master.example", "master.example"),
    ],
)
def test_the_address_as_join_takes_it(server: str, says: str) -> None:
    assert address(server) == says


@pytest.mark.parametrize(
    ("expiration", "says"),
    [("never", "-"), ("2026-01-02T00:00:00Z", "24h"), ("2025-12-31T00:00:00Z", "EXPIRED"), ("tomorrow", "?")],
)
def test_what_remains_of_a_token(expiration: str, says: str) -> None:
    assert _remaining(expiration, datetime(2026, 1, 1, tzinfo=UTC)) == says


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800)])
def test_durations(text: str, seconds: int) -> None:
    assert _duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "0h", "1.5h"])
def test_no_durations(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no duration"):
        _duration(text)


def test_the_overview_says_how_to_reach_everything() -> None:
    text = render(
        {
            "server": "https://10.77.0.10:6443",
            "kubeconfig": "/k",
            "services": [
                {"name": "default/web", "clusterIP": "10.96.0.9", "ports": ["80/TCP"], "outside": ["10.77.0.11:31002"]}
            ],
            "nodes": [
                {"name": "node1", "status": "Ready", "address": "10.77.0.11", "podCIDR": "10.244.0.0/24", "pods": 2}
            ],
        }
    )
    assert "export KUBECONFIG=/k" in text
    assert "default/web  10.96.0.9   80/TCP  10.77.0.11:31002" in text
    assert "node1  Ready   10.77.0.11  10.244.0.0/24  2" in text
