"""Writes docs/configuration.md from the settings in master/config.py and agent/config.py: `python docs/generate.py`."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "configuration.md"

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


def page() -> str:
    """The whole page."""
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


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page())
