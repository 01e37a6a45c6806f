"""TLS contexts from certificates in memory."""

import contextlib
import os
import ssl
from collections.abc import Iterator

from client.errors import BadKubeconfig
from client.kubeconfig import Access


def context_for(access: Access) -> ssl.SSLContext:
    """A context that trusts only the CA of `access` and presents its client certificate."""
    try:
        context = ssl.create_default_context(cadata=access.authority.decode() if access.authority else None)
        if access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if access.certificate and access.key:
            with _as_file(access.certificate + b"\n" + access.key) as path:
                context.load_cert_chain(path)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise BadKubeconfig(f"the certificates for {access.server} are not usable: {error}") from error
    return context


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path for a library that reads only files. The key is in memory and never on a disk."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
