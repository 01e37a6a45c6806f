"""Switches IPv6 off on the node's own ends of our links, which carry IPv4 only.

Otherwise a pod could send its node a router advertisement, and with it a default route, addresses and name servers, and
could reach everything that listens on the node's link-local addresses. Links of others keep their IPv6.
"""

from __future__ import annotations

from netstack.errors import NotThere
from netstack.kernel import Kernel


def parameters(link: str) -> dict[str, str]:
    """The kernel parameters of a link without IPv6. Switching it off also removes what the link has learned."""
    # Router advertisements stay off even if a person switches IPv6 on again (kernel: networking/ip-sysctl).
    return {f"net/ipv6/conf/{link}/accept_ra": "0", f"net/ipv6/conf/{link}/disable_ipv6": "1"}


def close(kernel: Kernel, link: str) -> bool:
    """Switch IPv6 off on a link of the host, best before the link is up. Returns whether it was on."""
    try:
        return bool(kernel.write_sysctls(parameters(link)))
    except NotThere:
        return False  # a kernel without IPv6, or a link whose MTU is too small for it (below 1280 bytes)
