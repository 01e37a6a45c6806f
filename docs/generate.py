"""Writes the pages of docs that are made from code: `python docs/generate.py`.

configuration.md comes from the settings in master/config.py and agent/config.py, fields.md from the models of the kinds
in master/kinds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from master.registry.resource import Resource
    from master.schema.tree import Field, Place

ROOT: Final = Path(__file__).resolve().parents[1]

_HEAD: Final = """\
<!-- Written by `python docs/generate.py` from master/config.py and agent/config.py. Do not edit. -->

# Configuration

Master and agent read one TOML file each when they start.

| | master | agent |
|---|---|---|
| on an installed host | `/etc/sampan/master.toml` | `/etc/sampan/agent.toml` |
| another file | `sampan master --config FILE` | `sampan agent --config FILE` |
| a change takes effect after | `systemctl restart sampan-master` | `systemctl restart sampan-agent` |

`sampan install` writes the file if it does not exist, and `sampan join` writes `master` into agent.toml; an existing
file is yours to edit. Restarting a master or an agent touches neither containers nor connections between pods. Two
changes in master.toml are special:

- A running master follows new `advertise_addresses` within a minute, without a restart.
- After a new `data_dir` or a port below 1024, run `sampan install master`: it lets the service write or listen there.

A setting that is unknown, missing or out of range keeps the process from starting, and the error names it. Regular
backups have a file of their own; see [Certificates and backups](certificates-and-backups.md#regular-backups).

```toml
# /etc/sampan/master.toml
data_dir = "/var/lib/sampan/master"
advertise_addresses = ["192.0.2.1", "master.example.net"]
log_format = "journal"
```

```toml
# /etc/sampan/agent.toml
state_dir = "/var/lib/sampan/agent"
node_name = "node1"
master = "https://192.0.2.1:6443"
log_format = "journal"
labels = {disk = "ssd"}
```
"""

_FIELDS_HEAD: Final = """\
<!-- Written by `python docs/generate.py` from the models in master/kinds. Do not edit. -->

# Fields without effect

Sampan accepts every field of its kinds that Kubernetes 1.37 has, and stores it. This page lists the fields on which it
does not act yet, and at its end the kinds on which nothing acts. All other fields are carried out, or are information
for people and other programs, such as `providerID` of a node and all fields of an event. A template, such as that of a
deployment, has the same fields as a pod. In a status nothing is an instruction, so its fields are not listed.

- A field **without effect** is answered with a `Warning` header, which `kubectl` prints. One answer has at most eleven
  warnings, and of several fields with the same effect it names the first.
- A field that is **refused** would be unsafe to ignore. The API refuses the object, or the node does not start the pod
  and says why in its status.

A field below a listed field has no effect either. `containers[]` stands for `initContainers[]` and
`ephemeralContainers[]` too.
"""


def configuration() -> str:
    """The page of the settings."""
    from agent.config import AgentConfig
    from master.config import MasterConfig

    return "\n".join([_HEAD, *_section("master.toml", MasterConfig), "", *_section("agent.toml", AgentConfig), ""])


def _section(title: str, kind: type[Any]) -> list[str]:
    from hull import settings

    rows = [f"## {title}", "", "| setting | type | default | meaning |", "|---|---|---|---|"]
    # In TOML there is no null: an optional setting without a default is left out.
    optional = {field.name for field in fields(kind) if field.default is None}
    for setting in settings.described(kind):
        default = "required" if setting.default is None else f"`{settings.to_value(setting.default)}`"
        default = "none" if setting.name in optional else default
        cells = (f"`{setting.name}`", setting.type_name, default, setting.text)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def fields_page() -> str:
    """The page of the fields without effect."""
    from master.kinds import ALL, PASSIVE, WITH_ADMISSION, WITHOUT_CONTROLLER

    lines = [_FIELDS_HEAD]
    for resource in ALL:
        if resource not in PASSIVE and resource not in WITHOUT_CONTROLLER:
            lines += _fields_of(resource)
    # New pods get the priority of their class, and the page says that priorities have no effect.
    unused = [*WITHOUT_CONTROLLER, *(kind for kind in PASSIVE if kind.stored and kind not in WITH_ADMISSION)]
    names = ", ".join(f"{resource.kind} ({resource.api_version})" for resource in unused)
    text = f"Sampan checks, stores and shows objects of these kinds, but does not use them yet: {names}."
    lines += ["## Kinds without effect", "", text]
    return "\n".join([*lines, ""])


def _fields_of(resource: Resource[Any]) -> list[str]:
    from master.kinds.core.pod.inert import CONDITIONAL

    inert, refused = [], []
    for place in _listed(resource):
        if place.field.inert:
            inert.append((place.path, place.field.inert, _exceptions(place.field)))
        else:
            values = ", ".join(f"`{_json(value)}`" for value in place.field.refused_values)
            refused.append((place.path, values or "any", place.field.refused))
    if resource.kind == "Pod":
        inert += [(f"spec.{path}", rule.effect, rule.when) for path, rule in CONDITIONAL.items()]
    lines = []
    if inert or refused:
        lines += [f"## {resource.kind}", ""]
    if inert:
        lines += _table(("field without effect", "what it would do", "when"), inert)
    if refused:
        lines += _table(("refused field", "values", "what it would do"), refused)
    return lines


def _listed(resource: Resource[Any]) -> Iterator[Place]:
    """The fields without effect, each once, and none below another one, in a template or of ephemeral containers."""
    from master.schema.tree import Struct, places

    fields = resource.schema.tree.fields
    spec = Struct(resource.kind, {name: fields[name] for name in fields if name not in ("metadata", "status")})
    shortest: dict[int, Place] = {}
    above: list[str] = []
    for place in places(spec):
        if {"template", "ephemeralContainers[]"} & {*place.path.split(".")} or any(
            place.path.startswith(f"{path}.") for path in above
        ):
            continue
        whole = place.field.inert or (place.field.refused and not place.field.refused_values)
        if whole:
            above += [place.path, f"{place.path}[]"]
        if place.field.inert or place.field.refused:
            known = shortest.setdefault(id(place.field), place)
            if len(place.path) < len(known.path):
                shortest[id(place.field)] = place
    return iter(shortest.values())


def _exceptions(field: Field) -> str:
    """The values that are not warned about."""
    from master.schema.tree import Map

    if not field.effective:
        return "always"
    values = " or ".join(f"`{_json(value)}`" for value in field.effective)
    return f"for other resources than {values}" if isinstance(field.node, Map) else f"unless it is {values}"


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table. Rows that differ in their first cell only are joined."""
    paths: dict[tuple[str, ...], list[str]] = {}
    for path, *rest in rows:
        paths.setdefault(tuple(rest), []).append(f"`{path}`")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return [*lines, *(f"| {', '.join(names)} | {' | '.join(rest)} |" for rest, names in paths.items()), ""]


PAGES: Final = {"configuration.md": configuration, "fields.md": fields_page}

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page())
