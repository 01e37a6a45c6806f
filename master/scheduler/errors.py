"""Errors of the scheduler itself. A pod that fits on no node is an ordinary result and not an error.

SchedulerError
└── PolicyError
"""


class SchedulerError(Exception):
    """The root of the scheduler's errors."""


class PolicyError(SchedulerError):
    """The priorities cannot be combined in this way, or a weight is not positive."""
