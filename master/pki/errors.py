"""What can go wrong with certificates.

PkiError               the files cannot be used; the message names the file
├── CsrRefused         a certificate signing request is not what a node may ask for
└── RotationRefused    a step of the CA's rotation that cannot be taken now; the message says what is missing
"""

from __future__ import annotations


class PkiError(Exception):
    """The files cannot be used; the message names the file."""


class CsrRefused(PkiError):
    """A certificate signing request is not what a node may ask for."""


class RotationRefused(PkiError):
    """A step of the CA's rotation that cannot be taken now."""
