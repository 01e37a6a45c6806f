"""The argument parsers: help with an example, no abbreviated options, and the checks of names and values.

A check raises ArgumentTypeError: the command line itself is wrong, which is exit code 2 and needs no lab or cluster.
"""

import argparse
import re
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final

from cli import commands, exits

_HOST: Final = re.compile(r"[a-z][a-z0-9]*")
_TOKEN_ID: Final = re.compile(r"[a-z0-9]{6}(\.[a-z0-9]{16})?")
_SIZE: Final = re.compile(r"(\d+)([KMG]?)")
_SIZE_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_OFFSET: Final = re.compile(r"([+-]?)(\d+(?:\.\d+)?)([smhd]?)")
_TIME_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_INTERFACE: Final = re.compile(r"[^/\s]{1,15}")
_MOST_PERCENT: Final = 100.0
MOST_NODES: Final = 243
"""A lab has room for these (lab/network/subnets.py, which this module does not import: it loads the network stack)."""
_NEGATIVE: Final = re.compile(r"-\d")


class _Formatter(argparse.HelpFormatter):
    """Wraps paragraphs, and leaves text of several lines as it is written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "\n".join(indent + line for line in text.splitlines())
        return super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """`example`: a command line to copy, at the end of the help."""

    def __init__(self, *, example: str = "", **options: Any) -> None:
        options.setdefault("formatter_class", _Formatter)
        # An abbreviation would change its meaning, or lose it, with every option that is added.
        super().__init__(allow_abbrev=False, **options)
        if example:
            self.show_example(example)
        # As Python 3.14 does: `-30m` is a value. None of our options begins with a digit.
        self._negative_number_matcher = _NEGATIVE

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Reports unknown options with the usage of the command; argparse reports them with that of `sampan`."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def show_example(self, example: str) -> None:
        self.epilog = f"example:\n  {example}"


class TopParser(Parser):
    """`sampan` itself: its help is the table of commands, for which no command's module is imported."""

    def __init__(self) -> None:
        super().__init__(
            prog="sampan",
            usage="sampan [--debug] COMMAND …",
            description="Kubernetes in Python that one person can read.",
        )

    def format_help(self) -> str:
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        formatter.add_text(commands.listing())
        formatter.start_section("options")
        formatter.add_arguments(action for action in self._actions if action.option_strings)
        formatter.end_section()
        formatter.add_text(exits.HELP)
        formatter.add_text("`sampan COMMAND --help` explains a command and has an example.")
        return formatter.format_help()


def add_command(subparsers: Any, name: str, **options: Any) -> Parser:
    """A parser for a command of the table. `description` defaults to its line there; main.py adds the example."""
    entry = commands.available()[name]
    options.setdefault("description", _sentence(entry.summary))
    parser: Parser = subparsers.add_parser(name, help=entry.summary, **options)
    return parser


def add_action(actions: Any, name: str, summary: str, *, example: str, **options: Any) -> Parser:
    """A parser for an action of a command (`sampan lab cut`)."""
    options.setdefault("description", _sentence(summary))
    parser: Parser = actions.add_parser(name, help=summary, example=example, **options)
    return parser


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def lab_name(text: str) -> str:
    """The name of a lab, which may not exist yet."""
    from lab.errors import LabError
    from lab.layout import Layout

    try:
        return Layout(text).name
    except LabError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def lab_host(text: str) -> str:
    """The name of a lab's host, which may not exist."""
    return _matching(_HOST, text, 'not the name of a host: `master`, or like "node1"')


def node_name(text: str) -> str:
    """The name of a node, which may not exist yet."""
    from agent.config import node_name_problem

    if problem := node_name_problem(text):
        raise argparse.ArgumentTypeError(problem)
    return text


def token_id(text: str) -> str:
    """The public part of a bootstrap token; the whole token is accepted too."""
    return _matching(_TOKEN_ID, text, "not the id of a token: six letters or digits").partition(".")[0]


def ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is not an IPv4 address') from None


def port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f'"{text}" is not a port: 1 to 65535')
    return int(text)


def seconds(text: str) -> float:
    """Zero or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of seconds')
    return value


def positive_seconds(text: str) -> float:
    value = seconds(text)
    if not value:
        raise argparse.ArgumentTypeError(f'"{text}" is not above 0 seconds')
    return value


def count(text: str) -> int:
    """Zero or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of 0 or more')
    return int(text)


def lab_size(text: str) -> int:
    """The number of a lab's nodes."""
    if not text.isdecimal() or not 0 < int(text) <= MOST_NODES:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of nodes from 1 to {MOST_NODES}')
    return int(text)


def mtu(text: str) -> int:
    """Bytes. The least is what every host must accept (RFC 791)."""
    from lab.wire import LEAST_MTU, MOST_MTU

    if not text.isdecimal() or not LEAST_MTU <= int(text) <= MOST_MTU:
        raise argparse.ArgumentTypeError(f'"{text}" is not an MTU from {LEAST_MTU} to {MOST_MTU} bytes')
    return int(text)


def size(text: str) -> int:
    """Bytes, from `65536`, `64K`, `16M` or `1G` (powers of 1024)."""
    match = _SIZE.fullmatch(text)
    if not match or not int(match[1]):
        raise argparse.ArgumentTypeError(f'"{text}" is not a size: like 16M')
    return int(match[1]) * _SIZE_UNITS[match[2]]


def offset(text: str) -> float:
    """Seconds ahead (`+1h`, `90s`) or behind (`-30m`)."""
    match = _OFFSET.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f'"{text}" is not an offset: like +1h, -30m or 90s')
    value = float(match[2]) * _TIME_UNITS[match[3]]
    return -value if match[1] == "-" else value


def interface(text: str) -> str:
    """A name that the kernel allows for a network interface."""
    return _matching(_INTERFACE, text, "not the name of a network interface")


def percent(text: str) -> float:
    """0 to 100, with or without the sign."""
    value = float(text.removesuffix("%"))
    if not 0.0 <= value <= _MOST_PERCENT:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 100")
    return value


def rate(text: str) -> float | None:
    """Mbit/s; None for `none`."""
    if text == "none":
        return None
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0; `none` stands for no limit")
    return value


def registry(text: str) -> tuple[str, int]:
    """The address and port of an image registry."""
    host, _, number = text.rpartition(":")
    if not host or not number.isdecimal():
        raise argparse.ArgumentTypeError(f'"{text}" is not like 10.0.0.1:5000')
    return host, int(number)


def _matching(pattern: re.Pattern[str], text: str, problem: str) -> str:
    if not pattern.fullmatch(text):
        raise argparse.ArgumentTypeError(f'"{text}" is {problem}')
    return text
