"""Figures of usage: quantities and windows as clients of metrics.k8s.io read them."""

from __future__ import annotations

import pytest

from master.kinds.metrics.figures import quantities, window


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.5, "500ms"),
        (0.9999, "1s"),
        (10.0, "10s"),
        (10.0624, "10.062s"),
        (59.9996, "1m0s"),
        (60.5, "1m0.5s"),
        (3603.0, "1h0m3s"),
        (90061.25, "25h1m1.25s"),
    ],
)
def test_a_window_is_a_duration_of_go(seconds: float, text: str) -> None:
    assert window(seconds) == text


@pytest.mark.parametrize(
    ("cpu_millis", "memory_bytes", "cpu", "memory"),
    [
        (0, 0, "0", "0"),
        (250, 1 << 30, "250m", "1Gi"),
        (2000, (1 << 30) + 1023, "2", "1Gi"),
        (1500, 5 << 10, "1500m", "5Ki"),
    ],
)
def test_a_usage_is_a_list_of_quantities(cpu_millis: int, memory_bytes: int, cpu: str, memory: str) -> None:
    assert quantities(cpu_millis, memory_bytes) == {"cpu": cpu, "memory": memory}
