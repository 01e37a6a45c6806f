"""Writes documents as YAML that yamltext.py, and so kubectl, reads as the same values."""

from typing import Any

import yaml

from client import yamltext

_WIDTH = 1 << 20
"""Lines are not folded."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump(document: Any) -> str:
    """The text of one document, keys in alphabetical order."""
    text: str = yaml.dump(document, Dumper=_Dumper, width=_WIDTH, allow_unicode=True)
    return text


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    """Text that would be read as a number or another value is quoted; lines of text stay lines."""
    style = None
    if "\n" in value:
        style = "|"
    elif value and yamltext.plain(value) != value:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
