"""The data of config maps and secrets: its limit, and values in base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from master.schema.checks import Findings

# The limit of all decoded values together.
MAX_DATA_BYTES = 1 << 20


def check_base64(field: str, values: Mapping[str, str], findings: Findings) -> int:
    """Checks values in base64. Returns the size of the decoded values in bytes, without those that are not valid."""
    size = 0
    for key, value in values.items():
        try:
            size += len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            # The message does not contain the value, which may be secret.
            findings.invalid(f"{field}[{key}]", "", "must be base64; plain text goes into stringData")
    return size
