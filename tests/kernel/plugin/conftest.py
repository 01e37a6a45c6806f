"""Inner runs of pytest with the plugin, as another project has them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

OTHERS_OFF = [word for name in ("asyncio", "cacheprovider", "hypothesispytest") for word in ("-p", f"no:{name}")]
"""Not needed, and each inner run imports all plugins: Hypothesis alone takes a second."""

PAIR = """
import pytest
from netrig.errors import Unsupported
from netrig.probe import Outcome, ask, icmp, tcp
from netrig.topology import Topology

@pytest.fixture
def pair(topology):
    a, b = topology.host("a"), topology.host("b")
    topology.link(a, b, address="10.0.0.1/24", peer_address="10.0.0.2/24", mtu=1400)
    topology.start()
    return a, b
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Runs a test file with the plugin in this process."""

    def run(text: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(PAIR + text)
        options = ["-p", "netrig.plugin", *OTHERS_OFF, f"--basetemp={pytester.path}/tmp"]
        return pytester.runpytest_inprocess(*options, "-rs", *arguments)

    return run
