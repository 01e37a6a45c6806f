"""Checks of restart rules: what a container's exit code does (`restartPolicyRules`)."""

from __future__ import annotations

from typing import Final

from master.kinds.core.pod.container import Container
from master.kinds.core.pod.members import declared_containers
from master.kinds.core.pod.model import PodSpec
from master.schema.checks import Findings

_MOST_RULES: Final = 20
_MOST_VALUES: Final = 255


def check_restart_rules(spec: PodSpec, at: str, findings: Findings) -> None:
    """Checks the rules of all containers. `at` is the path of the spec. Actions and operators are declared."""
    for where, container in declared_containers(spec, at):
        if container.restart_policy_rules:
            _rules(container, where, findings)


def _rules(container: Container, at: str, findings: Findings) -> None:
    if container.restart_policy is None:
        findings.required(f"{at}.restartPolicy", "must specify restartPolicy when restart rules are used")
    rules = container.restart_policy_rules
    if len(rules) > _MOST_RULES:
        findings.at_most(f"{at}.restartPolicyRules", len(rules), _MOST_RULES)
    for index, rule in enumerate(rules):
        where = f"{at}.restartPolicyRules[{index}].exitCodes"
        if rule.exit_codes is None:
            findings.required(where, "must be specified")
        elif len(rule.exit_codes.values) > _MOST_VALUES:
            findings.at_most(f"{where}.values", len(rule.exit_codes.values), _MOST_VALUES)
