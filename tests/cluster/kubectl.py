"""kubectl as the tests write it."""

from lab.kubectl import Kubectl

__all__ = ["Kubectl"]
