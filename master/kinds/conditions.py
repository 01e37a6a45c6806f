"""The condition of a status, as newer kinds have it."""

from __future__ import annotations

from master.objects.meta import Model, always
from master.objects.scalars import Natural64, Time


class Condition(Model, frozen=True, kw_only=True):
    """One aspect of an object's state. `status` is True, False or Unknown, `reason` one word, `message` the details."""

    type: str = always("")
    status: str = always("")
    observed_generation: Natural64 = 0
    last_transition_time: Time | None = None
    reason: str = always("")
    message: str = always("")
