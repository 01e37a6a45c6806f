"""The bed of the tests of processes."""

from tests.fakes.processbed import bed  # noqa: F401 - a fixture
