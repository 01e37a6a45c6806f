"""The cluster's certificates: the certificate authority, and the certificates of the server, the administrator and
nodes.
"""

from master.pki.errors import CsrRefused, PkiError, RotationRefused
from master.pki.files import KeyPair
from master.pki.pki import ADMIN_GROUP, ADMIN_USER, RENEW_BEFORE, Pki

__all__ = ["ADMIN_GROUP", "ADMIN_USER", "RENEW_BEFORE", "CsrRefused", "KeyPair", "Pki", "PkiError", "RotationRefused"]
