"""An object as indented text for people. The fields keep their names, so that `sampan explain` knows them.

Lists of small records, such as conditions and ports, become tables; moments get their age; nothing depends on a kind.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cli.durations import remaining
from cli.tables import printable, table

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_FIRST: Final = ("type", "name", "key")
_SHORT: Final = 100
"""Characters of a list of words that stays on one line."""
_INDENT: Final = "  "


def described(fields: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """The lines of a record: a line for each plain value, and an indented block for each other one."""
    plain = {name: text for name, value in fields.items() if (text := _inline(value, now)) is not None}
    width = max(map(len, plain), default=0) + 1
    for name, value in fields.items():
        if name in plain:
            yield f"{name + ':':{width}} {plain[name]}"
        else:
            yield f"{name}:"
            yield from (f"{_INDENT}{line}" if line else "" for line in _block(value, now))


def _block(value: Any, now: datetime) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from described(value, now)
    elif isinstance(value, str):
        yield from map(printable, value.split("\n") if value[-1:] != "\n" else value[:-1].split("\n"))
    elif _is_table(value, now):
        yield from _table(value, now)
    else:
        for item in value:
            lines = _block(item, now) if _inline(item, now) is None else iter([_inline(item, now) or ""])
            yield f"- {next(lines, '')}"
            yield from (f"{_INDENT}{line}" for line in lines)


def _inline(value: Any, now: datetime) -> str | None:
    """A value that fits on a line; None for any other."""
    if isinstance(value, Mapping):
        return None if value else "<none>"
    if isinstance(value, list):
        words = [_inline(item, now) for item in value if not isinstance(item, list | Mapping)]
        text = ", ".join(word for word in words if word is not None)
        fits = len(words) == len(value) and None not in words and len(text) <= _SHORT
        return (text or "<none>") if fits else None
    if isinstance(value, str):
        return None if "\n" in value else _aged(value, now)
    return {None: "<none>", True: "true", False: "false"}.get(value, str(value)) if not _number(value) else str(value)


def _number(value: Any) -> bool:
    """For Python, True and False are numbers too."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _aged(text: str, now: datetime) -> str:
    if not _MOMENT.fullmatch(text):
        return printable(text)
    age_s = (now - datetime.fromisoformat(text)).total_seconds()
    return f"{text} ({remaining(age_s)} ago)" if age_s > 0 else text


def _is_table(items: Sequence[Any], now: datetime) -> bool:
    return all(
        isinstance(item, Mapping) and item and all(_inline(value, now) is not None for value in item.values())
        for item in items
    )


def _table(items: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    """What a record is called comes first, and what is longest comes last."""
    names = list(dict.fromkeys(name for item in items for name in item))
    cells = {name: [_inline(item[name], now) or "" if name in item else "-" for item in items] for name in names}
    longest = max(names, key=lambda name: max(map(len, cells[name])))
    names.sort(key=lambda name: 0 if name in _FIRST else 2 if name == longest else 1)
    rows = [[cells[name][number] for name in names] for number in range(len(items))]
    yield from table([_heading(name) for name in names], rows).splitlines()


def _heading(name: str) -> str:
    """`lastTransitionTime` as LAST-TRANSITION-TIME, `hostIP` as HOST-IP."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).upper()


def utc_now() -> datetime:
    return datetime.now(UTC)
