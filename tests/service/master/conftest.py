"""A master's servers, and their clients."""

from tests.masters import api, config, master, me, other, peer, resources  # noqa: F401 - fixtures
from tests.service.master.kubectls import kubeconfig, kubectl  # noqa: F401 - fixtures
