"""What can be wrong with the scheduler itself (a pod that fits nowhere is not an error but an answer).

SchedulerError
└── PolicyError
"""


class SchedulerError(Exception):
    """The root."""


class PolicyError(SchedulerError):
    """The combination of priorities makes no sense."""
