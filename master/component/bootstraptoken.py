"""The form of bootstrap tokens: Secrets as Kubernetes writes them.

https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
"""

from __future__ import annotations

from typing import Final

NAMESPACE: Final = "kube-system"
"""Tokens are Secrets of this namespace only."""
NAME_PREFIX: Final = "bootstrap-token-"
"""Secrets are named with this prefix and the id of their token."""
SECRET_TYPE: Final = "bootstrap.kubernetes.io/token"
