"""The configured bootstrap token, which becomes valid when the master starts.

Owns reading bootstrap_token_file and writing the Secret in Kubernetes' form of bootstrap tokens. Later tokens are
created over REST.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import msgspec

from master.api.errors import AlreadyExists
from master.api.resources import Resources
from master.component.bootstraptoken import NAME_PREFIX, NAMESPACE, SECRET_TYPE
from master.dispatch.nodes import CALLER
from master.kinds import SECRET
from master.kinds.core.secret import Secret
from master.objects.meta import ObjectMeta
from proto import contract


class BadToken(Exception):
    """The file does not hold a token."""


def read(path: Path) -> str:
    """The token in the file. Raises BadToken."""
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadToken(f"bootstrap_token_file {path}: {error}") from error
    if not re.fullmatch(contract.TOKEN_PATTERN, token):
        raise BadToken(f"bootstrap_token_file {path}: not a token of the form abcdef.0123456789abcdef")
    return token


async def make_valid(resources: Resources, token: str) -> None:
    """Creates or updates the token's Secret."""
    token_id, _, token_secret = token.partition(".")
    desired = Secret(
        metadata=ObjectMeta(name=NAME_PREFIX + token_id, namespace=NAMESPACE),
        type=SECRET_TYPE,
        data={
            "token-id": _encoded(token_id),
            "token-secret": _encoded(token_secret),
            "usage-bootstrap-authentication": _encoded("true"),
            "description": _encoded("Made at the master's start from its bootstrap_token_file."),
        },
    )
    try:
        await resources.create(CALLER, SECRET, desired, namespace=NAMESPACE)
    except AlreadyExists:
        await resources.mutate(
            CALLER,
            SECRET,
            NAMESPACE,
            desired.metadata.name,
            lambda stored: None if stored.data == desired.data else msgspec.structs.replace(stored, data=desired.data),
        )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
