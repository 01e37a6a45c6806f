"""A master's servers, and their clients."""

from tests.masters import api, config, master, me, other, peer, resources  # noqa: F401 - fixtures
