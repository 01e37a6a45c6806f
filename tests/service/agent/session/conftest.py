"""The bed of the tests of processes."""

from tests.fakes.processbed import bed, pod_runs  # noqa: F401 - fixtures
