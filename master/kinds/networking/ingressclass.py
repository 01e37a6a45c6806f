"""IngressClass: the reference to its parameters, and the cells of its table."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from master.kinds.classes import name_of_class
from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import dns_label, dns_subdomain

DEFAULT: Final = "ingressclass.kubernetes.io/is-default-class"


class IngressClassStrategy(UntypedStrategy):
    """The rules of ingress classes."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        if not spec.get("controller"):
            findings.required("spec.controller")
        parameters = spec.get("parameters")
        if parameters is None:
            return
        if "apiGroup" in parameters:
            findings.form("spec.parameters.apiGroup", parameters["apiGroup"], dns_subdomain(parameters["apiGroup"]))
        namespace = parameters.get("namespace")
        if parameters.get("scope") == "Namespace":
            if namespace is None:
                findings.required("spec.parameters.namespace", "`parameters.scope` is set to 'Namespace'")
            else:
                findings.form("spec.parameters.namespace", namespace, dns_label(namespace))
        elif parameters.get("scope") == "Cluster" and namespace is not None:
            findings.forbidden("spec.parameters.namespace", "`parameters.scope` is set to 'Cluster'")


def _parameters(obj: Untyped, now: datetime) -> Cell:
    parameters = obj.spec.get("parameters")
    if parameters is None:
        return "<none>"
    group = f".{parameters['apiGroup']}" if "apiGroup" in parameters else ""
    return f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"


INGRESSCLASS: Final = Supplement(
    IngressClassStrategy, cells={"Name": name_of_class(DEFAULT), "Parameters": _parameters}
)
