"""Environment: service variables, references, expansion and precedence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model import (
    ConfigMap,
    Container,
    Desired,
    EnvFrom,
    EnvVar,
    KeyRef,
    ObjectRef,
    Pod,
    PodUid,
    Secret,
    ServiceEnv,
    ServiceEnvPort,
)
from agent.pods.env import PodFacts, environment
from agent.pods.errors import ContainerConfigError
from agent.pods.expand import expand
from agent.pods.serviceenv import service_variables, visible_services

FACTS = PodFacts("n1", "192.0.2.1", "10.0.0.2")
TOMCAT = ServiceEnv(
    ObjectRef("default", "tomcat-service"),
    "169.169.41.218",
    (ServiceEnvPort("service-port", "TCP", 8080), ServiceEnvPort("shutdown-port", "TCP", 8005)),
)
API = ServiceEnv(ObjectRef("default", "kubernetes"), "10.96.0.1", (ServiceEnvPort("https", "TCP", 443),))
CONFIG, SECRET = ObjectRef("default", "c"), ObjectRef("default", "s")
DESIRED = Desired(
    pods={},
    services=(TOMCAT, API),
    config_maps={CONFIG: ConfigMap(CONFIG, {"k": b"from-config", "not=name": b"x", "1-k": b"digit first"})},
    secrets={SECRET: Secret(SECRET, {"k": b"from-secret"})},
)


def env_of(
    *variables: EnvVar, links: bool = False, desired: Desired = DESIRED, sources: tuple[EnvFrom, ...] = ()
) -> dict[str, str]:
    container = Container("app", "web:1", env=variables, env_from=sources)
    pod = Pod(PodUid("u1"), "default", "web", (container,), labels={"a": "b"}, enable_service_links=links)
    return environment(pod, container, desired, FACTS)


def test_service_variables_are_as_documented() -> None:
    assert service_variables([TOMCAT]) == {
        "TOMCAT_SERVICE_SERVICE_HOST": "169.169.41.218",
        "TOMCAT_SERVICE_SERVICE_PORT": "8080",
        "TOMCAT_SERVICE_SERVICE_PORT_SERVICE_PORT": "8080",
        "TOMCAT_SERVICE_SERVICE_PORT_SHUTDOWN_PORT": "8005",
        "TOMCAT_SERVICE_PORT": "tcp://169.169.41.218:8080",
        "TOMCAT_SERVICE_PORT_8080_TCP": "tcp://169.169.41.218:8080",
        "TOMCAT_SERVICE_PORT_8080_TCP_PROTO": "tcp",
        "TOMCAT_SERVICE_PORT_8080_TCP_PORT": "8080",
        "TOMCAT_SERVICE_PORT_8080_TCP_ADDR": "169.169.41.218",
        "TOMCAT_SERVICE_PORT_8005_TCP": "tcp://169.169.41.218:8005",
        "TOMCAT_SERVICE_PORT_8005_TCP_PROTO": "tcp",
        "TOMCAT_SERVICE_PORT_8005_TCP_PORT": "8005",
        "TOMCAT_SERVICE_PORT_8005_TCP_ADDR": "169.169.41.218",
    }


def test_headless_services_have_no_variables() -> None:
    assert service_variables([replace(TOMCAT, cluster_ip=""), replace(TOMCAT, cluster_ip="None")]) == {}


@pytest.mark.parametrize(
    ("namespace", "links", "names"),
    [
        ("default", True, ["kubernetes", "tomcat-service"]),
        ("default", False, ["kubernetes"]),
        ("other", True, ["kubernetes"]),
    ],
)
def test_visible_services(namespace: str, links: bool, names: list[str]) -> None:
    visible = visible_services([TOMCAT, API], namespace, links=links)
    assert sorted(service.ref.name for service in visible) == names


def test_a_service_with_the_api_servers_name_hides_it() -> None:
    own = ServiceEnv(ObjectRef("other", "kubernetes"), "10.96.9.9", (ServiceEnvPort("", "TCP", 1),))
    assert visible_services([API, own], "other", links=True) == [own]


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A $", "$A $"),
        ("$(A", "$(A"),
    ],
)
def test_expansion(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_later_sources_win_and_see_earlier_ones() -> None:
    variables = env_of(
        EnvVar("HOST", "$(KUBERNETES_SERVICE_HOST)"),
        EnvVar("A", "1"),
        EnvVar("B", "$(A)$(C)"),
        EnvVar("C", "late"),
        EnvVar("KUBERNETES_SERVICE_PORT", "mine"),
    )
    assert variables["HOST"] == "10.96.0.1"
    assert variables["B"] == "1$(C)"
    assert variables["KUBERNETES_SERVICE_PORT"] == "mine"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (EnvVar("V", field_path="metadata.name"), "web"),
        (EnvVar("V", field_path="status.podIP"), "10.0.0.2"),
        (EnvVar("V", field_path="status.hostIP"), "192.0.2.1"),
        (EnvVar("V", field_path="spec.nodeName"), "n1"),
        (EnvVar("V", field_path="metadata.labels['a']"), "b"),
        (EnvVar("V", config_map_key=KeyRef("c", "k")), "from-config"),
        (EnvVar("V", secret_key=KeyRef("s", "k")), "from-secret"),
        (EnvVar("V", secret_key=KeyRef("none", "k", optional=True)), None),
        (EnvVar("V", config_map_key=KeyRef("c", "none", optional=True)), None),
    ],
)
def test_sources(variable: EnvVar, value: str | None) -> None:
    assert env_of(variable).get("V") == value


def test_binary_data_is_never_a_variable() -> None:
    config = ConfigMap(CONFIG, {"k": b"text", "raw": b"\xff", "ascii": b"x"}, frozenset({"raw", "ascii"}))
    desired = replace(DESIRED, config_maps={CONFIG: config})
    assert env_of(sources=(EnvFrom("c"),), desired=desired) == {"k": "text"} | env_of()
    assert "V" not in env_of(EnvVar("V", config_map_key=KeyRef("c", "raw", optional=True)), desired=desired)
    with pytest.raises(ContainerConfigError, match='config map "default/c" has no key "raw"'):
        env_of(EnvVar("V", config_map_key=KeyRef("c", "raw")), desired=desired)


def test_keys_that_are_not_variable_names_are_left_out() -> None:
    variables = env_of(sources=(EnvFrom("c", prefix="P_"), EnvFrom("none", optional=True)))
    given = {name: value for name, value in variables.items() if name.startswith("P_")}
    assert given == {"P_k": "from-config", "P_1-k": "digit first"}


def test_names_of_variables_may_begin_with_digits_and_contain_signs_since_kubernetes_1_34() -> None:
    variables = env_of(sources=(EnvFrom("c"), EnvFrom("c", prefix="#@!")))
    assert variables["1-k"] == variables["#@!1-k"] == "digit first"


@pytest.mark.parametrize(
    ("variable", "desired", "named"),
    [
        (EnvVar("V", config_map_key=KeyRef("x", "k")), DESIRED, 'config map "default/x" not found'),
        (EnvVar("V", secret_key=KeyRef("s", "x")), DESIRED, 'secret "default/s" has no key "x"'),
        (EnvVar("V", field_path="spec.wrong"), DESIRED, "spec.wrong"),
        (EnvVar("V", secret_key=KeyRef("x", "k")), replace(DESIRED, secrets_known=False), "waiting for the master"),
    ],
)
def test_a_missing_object_is_named(variable: EnvVar, desired: Desired, named: str) -> None:
    with pytest.raises(ContainerConfigError, match=named):
        env_of(variable, desired=desired)
