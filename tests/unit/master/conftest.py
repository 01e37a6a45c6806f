"""The parts of a master that these tests share."""

from tests.masters import config, me, resources  # noqa: F401 - fixtures
