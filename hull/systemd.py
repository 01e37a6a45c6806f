"""What systemd says of a unit of ours at one moment, and what that means. Asks; changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

_PROPERTIES: Final = "--property=ActiveState,SubState,NRestarts"


@dataclass(frozen=True, slots=True)
class UnitState:
    """`active` and `sub` are systemd's ActiveState and SubState."""

    active: str
    sub: str
    restarts: int
    """How often systemd has started it again since a person, or a command, did."""
    job: str = ""
    """What systemd was asked for and has not ended: start, restart, stop; empty for nothing."""

    @classmethod
    def asked(cls, systemctl: Callable[..., str], name: str) -> Self:
        """`systemctl` runs it with these arguments and gives back what it printed; raises what that does."""
        # The job first: one that ends meanwhile is seen in the state.
        jobs = [line.split() for line in systemctl("list-jobs", "--no-legend", "--plain", name).splitlines()]
        job = next((words[2] for words in jobs if len(words) > 2 and words[1] == name), "")
        said = dict(line.partition("=")[::2] for line in systemctl("show", _PROPERTIES, name).splitlines())
        restarts = said.get("NRestarts", "")
        return cls(
            said.get("ActiveState", ""), said.get("SubState", ""), int(restarts) if restarts.isdecimal() else 0, job
        )

    @property
    def runs(self) -> bool:
        """It does, starts, waits for its next try, or will when what is under way has ended.

        A restart that nobody waits for any more first has it going down; so has a failure, which has no job.
        """
        if self.job:
            return self.job != "stop"
        return self.active in ("active", "reloading", "activating", "deactivating")

    @property
    def has_failed(self) -> bool:
        """Since somebody has started it; it may be up again. systemd counts a try when it begins."""
        return self.restarts > 0 or self.sub.startswith("auto-restart")
