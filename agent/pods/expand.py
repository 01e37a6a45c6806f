"""Kubernetes' $(NAME) references in env, command and args.

$(NAME) is replaced if NAME is known and left unchanged otherwise; $$ is one dollar sign, so that $$(NAME) is a literal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_REFERENCE: Final = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, values: Mapping[str, str]) -> str:
    """The text with its references replaced."""

    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else values.get(name, match[0])

    return _REFERENCE.sub(replacement, text)


def unknown(text: str, values: Mapping[str, str]) -> list[str]:
    """The names in the text's references that have no value."""
    return [match[1] for match in _REFERENCE.finditer(text) if match[1] is not None and match[1] not in values]
