"""Which error class stands for which errno of netlink."""

from __future__ import annotations

import pytest

from netstack.errors import AlreadyThere, KernelBusy, KernelRefused, NotThere, Permanent, Retryable, kernel_error


@pytest.mark.parametrize(
    ("number", "expected", "root"),
    [
        (16, KernelBusy, Retryable),
        (105, KernelBusy, Retryable),
        (17, AlreadyThere, Permanent),
        (19, NotThere, Permanent),
        (3, NotThere, Permanent),
        (22, KernelRefused, Permanent),
    ],
)
def test_an_errno_becomes_its_class_of_error(number: int, expected: type[Exception], root: type[Exception]) -> None:
    error = kernel_error(number, "route")
    assert type(error) is expected
    assert isinstance(error, root)
