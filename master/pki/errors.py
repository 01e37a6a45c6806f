"""Errors of certificates.

PkiError               a file cannot be used; the message names it
├── CsrRefused         a node may not request this certificate
└── RotationRefused    this step of the CA's rotation is not possible now; the message says why
"""

from __future__ import annotations


class PkiError(Exception):
    """A file cannot be used. The message names it."""


class CsrRefused(PkiError):
    """A node may not request this certificate."""


class RotationRefused(PkiError):
    """This step of the CA's rotation is not possible now. The message says why."""
