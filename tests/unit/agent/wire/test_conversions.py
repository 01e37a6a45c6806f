"""Conversions between the contract's messages and the agent's values."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from agent import model, statuses
from agent.handlers import Checks, GrpcCheck, HttpGet, Probe, RunCommand, Sleep, TcpConnect, UnknownAction
from agent.wire import desired, observed
from agent.wire.checks import checks_from_proto
from proto.gen import desired_pb2, observed_pb2, session_pb2


def test_pod() -> None:
    sent = desired_pb2.Pod(
        uid="u1",
        namespace="default",
        name="web",
        labels={"a": "b"},
        deletion_timestamp=Timestamp(seconds=100, nanos=500_000_000),
        grace_period_s=5,
        restart_policy="OnFailure",
        ended_phase="Failed",
        priority=-7,
        containers=[
            desired_pb2.Container(
                name="app",
                image="web:1",
                args=["x"],
                env=[
                    desired_pb2.EnvVar(name="A", value="1"),
                    desired_pb2.EnvVar(name="B", secret_key=desired_pb2.KeyRef(name="s", key="k", optional=True)),
                    desired_pb2.EnvVar(name="C", file_key=desired_pb2.FileKey(volume="e", path="p", key="k")),
                ],
                resources=desired_pb2.Resources(cpu_limit_millis=100, ephemeral_storage_limit_bytes=5),
                security_context=desired_pb2.SecurityContext(run_as_user=0),
                image_pull_policy="Always",
                volume_devices=[desired_pb2.VolumeDevice(name="h", device_path="/dev/xvda")],
            )
        ],
    )
    pod = desired.pod_from_proto(sent)
    assert (pod.uid, str(pod.ref), pod.deletion_at, pod.deleted) == ("u1", "default/web", 100.5, True)
    assert pod.restart_policy is model.RestartPolicy.ON_FAILURE and pod.ended_phase is model.PodPhase.FAILED
    assert pod.priority == -7
    (app,) = pod.containers
    assert app.pull_policy is model.PullPolicy.ALWAYS and app.security.run_as_user == 0
    assert app.resources == model.Resources(cpu_limit_millis=100, ephemeral_storage_limit_bytes=5)
    assert app.security.run_as_group is None and app.termination_message_path == "/dev/termination-log"
    assert app.volume_devices == (model.VolumeDevice("h", "/dev/xvda"),)
    assert app.env == (
        model.EnvVar("A", "1"),
        model.EnvVar("B", secret_key=model.KeyRef("s", "k", optional=True)),
        model.EnvVar("C", file_key=model.FileKey("e", "p", "k")),
    )


def test_volumes_of_a_pod() -> None:
    sent = desired_pb2.Pod(
        volumes=[
            desired_pb2.Volume(name="e", empty_dir=desired_pb2.Volume.EmptyDir(medium="Memory", mode=0)),
            desired_pb2.Volume(
                name="h", host_path=desired_pb2.Volume.HostPath(path="/x"), owned_by_group=True, block=True
            ),
            desired_pb2.Volume(name="s", secret=desired_pb2.Volume.Keys(name="pw", default_mode=0o600)),
            desired_pb2.Volume(name="n", unsupported="nfs"),
            desired_pb2.Volume(name="x"),
            desired_pb2.Volume(name="i", image=desired_pb2.Volume.Image(reference="data:1", pull_policy="Always")),
        ],
    )
    pod = desired.pod_from_proto(sent)
    assert [volume.name for volume in pod.volumes if volume.owned_by_group and volume.block] == ["h"]
    assert [volume.source for volume in pod.volumes] == [
        model.EmptyDir("Memory", mode=0),
        model.HostPath("/x"),
        model.FilesVolume((model.KeysSource("pw", secret=True),), 0o600),
        model.UnsupportedVolume("nfs"),
        model.UnsupportedVolume("its source"),
        model.ImageVolume("data:1", model.PullPolicy.ALWAYS),
    ]


def test_security_of_a_pod() -> None:
    wire = desired_pb2.SecurityContext(
        run_as_non_root=True,
        no_new_privileges=True,
        seccomp=desired_pb2.SecurityProfile(type="Localhost", localhost="a.json"),
        apparmor=desired_pb2.SecurityProfile(type="Unconfined"),
    )
    item = desired_pb2.KeyToPath(key="k", path="p", mode=0)
    keys = desired_pb2.Volume.Keys(name="c", items=[item, desired_pb2.KeyToPath(key="k", path="q")], default_mode=0)
    sent = desired_pb2.Pod(
        uid="u1",
        containers=[desired_pb2.Container(name="app", security_context=wire), desired_pb2.Container(name="other")],
        volumes=[desired_pb2.Volume(name="v", config_map=keys)],
        host_pid=True,
        host_ipc=True,
        share_process_namespace=True,
        supplemental_groups=[5],
        fs_group=0,
        fs_group_change_policy="OnRootMismatch",
        supplemental_groups_policy="Strict",
        sysctls=[
            desired_pb2.Sysctl(name="kernel/shm_rmid_forced", value="1"),
            desired_pb2.Sysctl(name="net/ipv4/conf/eth0.1/forwarding", value="1"),
            desired_pb2.Sysctl(name="net.ipv4.conf.eth0/1.forwarding", value="1"),
        ],
        unsupported=["spec.hostUsers: false"],
    )
    pod = desired.pod_from_proto(sent)
    app, other = pod.containers
    assert app.security == model.SecurityContext(
        run_as_non_root=True,
        no_new_privileges=True,
        seccomp=model.Profile("Localhost", "a.json"),
        apparmor=model.Profile("Unconfined"),
    )
    assert other.security == model.SecurityContext()
    items = (model.KeyToPath("k", "p", 0), model.KeyToPath("k", "q"))
    assert pod.volumes[0].source == model.FilesVolume(
        (model.KeysSource("c", secret=False, items=items),), 0, in_memory=False
    )
    assert (pod.host_pid, pod.host_ipc, pod.share_process_namespace) == (True, True, True)
    assert (pod.supplemental_groups, pod.fs_group, pod.unsupported) == ((5,), 0, ("spec.hostUsers: false",))
    assert pod.groups_policy == model.Pod.STRICT and pod.fs_group_on_mismatch
    assert [sysctl.name for sysctl in pod.sysctls] == [
        "kernel.shm_rmid_forced",
        "net.ipv4.conf.eth0/1.forwarding",
        "net.ipv4.conf.eth0/1.forwarding",
    ]
    plain = desired.pod_from_proto(desired_pb2.Pod(uid="u2"))
    assert plain.fs_group is None and not plain.fs_group_on_mismatch


def test_status() -> None:
    ended = statuses.Terminated(137, "OOMKilled", started_at=1.0, finished_at=2.25, container_id="docker://x")
    status = statuses.PodStatus(
        model.PodUid("u1"),
        "default",
        "web",
        phase=model.PodPhase.RUNNING,
        conditions=(statuses.Condition("Ready", "True", last_transition_at=3.5),),
        containers=(
            statuses.ContainerStatus("app", statuses.Running(4.0), "web:1", last_state=ended, restart_count=2),
        ),
    )
    sent = observed.status_to_proto(status)
    (container,) = sent.container_statuses
    assert sent.phase == "Running" and sent.conditions[0].last_transition_time.nanos == 500_000_000
    assert container.state.WhichOneof("state") == "running" and container.restart_count == 2
    assert container.last_state.terminated.finished_at.nanos == 250_000_000
    assert not sent.HasField("start_time")


def test_waiting_status_has_no_last_state() -> None:
    container = statuses.ContainerStatus("app", statuses.Waiting("ContainerCreating"), "web:1")
    sent = observed.status_to_proto(statuses.PodStatus(model.PodUid("u"), "d", "n", containers=(container,)))
    assert not sent.container_statuses[0].HasField("last_state")
    assert sent.container_statuses[0].state.waiting.reason == "ContainerCreating"


def test_event() -> None:
    event = statuses.Event("Pod", "default", "web", "u1", "Failed", "no", at=9.0, warning=True)
    sent = observed.event_to_proto(event)
    assert isinstance(sent, observed_pb2.Event) and (sent.type, sent.reason, sent.time.seconds) == (
        "Warning",
        "Failed",
        9,
    )


def test_log_request() -> None:
    request = session_pb2.LogRequest(namespace="d", pod="p", pod_uid="u", container="c", follow=True)
    options = model.LogOptions(follow=True)
    assert desired.log_request_from_proto(request) == model.LogRequest("d", "p", model.PodUid("u"), "c", options)
    assert desired.log_request_from_proto(session_pb2.LogRequest(tail_lines=0)).options.tail_lines == 0


def test_removal_has_no_status() -> None:
    removal = observed.removal_to_proto(model.PodUid("u"), model.ObjectRef("d", "n"))
    assert removal == observed_pb2.PodStatus(uid="u", namespace="d", name="n", removed=True)


def test_node() -> None:
    info = statuses.NodeInfo(
        "m",
        "10.0.0.1",
        hostname="node-1",
        labels={"a": "b"},
        addresses=("10.0.0.1", "10.9.0.1"),
        supplemental_groups_policy=True,
        read_only_trees=True,
    )
    expected = {"a": "b"}, ["10.0.0.1", "10.9.0.1"]
    sent = observed.info_to_proto(info)
    assert (sent.machine_id, sent.address, sent.hostname) == ("m", "10.0.0.1", "node-1")
    assert (dict(sent.labels), list(sent.addresses)) == expected
    assert sent.supplemental_groups_policy and sent.read_only_trees
    capacity = observed.capacity_to_proto(statuses.Capacity(1000, 1 << 30, 110, 1 << 40))
    assert capacity == observed_pb2.Capacity(
        cpu_millis=1000, memory_bytes=1 << 30, pods=110, ephemeral_storage_bytes=1 << 40
    )
    usage = observed.usage_to_proto(statuses.Usage(10, 20, 30))
    assert usage == observed_pb2.Usage(cpu_millis=10, memory_bytes=20, ephemeral_storage_bytes=30)


def test_secret() -> None:
    sent = desired_pb2.Secret(
        ref=desired_pb2.ObjectRef(namespace="default", name="s"), data={"k": b"v"}, type="Opaque", uid="u1"
    )
    read = desired.secret_from_proto(sent)
    assert read == model.Secret(model.ObjectRef("default", "s"), {"k": b"v"}, "Opaque", "u1")


def test_config_map_is_bytes() -> None:
    sent = desired_pb2.ConfigMap(ref=desired_pb2.ObjectRef(namespace="d", name="c"), data={"a": "ü"})
    sent.binary_data["b"] = b"\xff"
    read = desired.config_map_from_proto(sent)
    assert read.data == {"a": "ü".encode(), "b": b"\xff"} and read.binary_keys == {"b"}


def test_probes_and_hooks() -> None:
    get = desired_pb2.HttpGetAction(port=80, scheme="HTTPS", headers=[desired_pb2.HttpHeader(name="X", value="1")])
    sent = desired_pb2.Container(
        liveness_probe=desired_pb2.Probe(handler=desired_pb2.Handler(http_get=get), period_s=5),
        readiness_probe=desired_pb2.Probe(
            handler=desired_pb2.Handler(tcp_socket=desired_pb2.TcpSocketAction(port_name="web")),
            termination_grace_period_s=0,
        ),
        startup_probe=desired_pb2.Probe(handler=desired_pb2.Handler(grpc=desired_pb2.GrpcAction(port=1, service="s"))),
        lifecycle=desired_pb2.Lifecycle(
            post_start=desired_pb2.Handler(exec=desired_pb2.ExecAction(command=["a"])),
            pre_stop=desired_pb2.Handler(sleep=desired_pb2.SleepAction(seconds=3)),
            stop_signal="SIGQUIT",
        ),
    )
    read = checks_from_proto(sent)
    assert read.liveness == Probe(
        HttpGet(80, "/", https=True, headers=(("X", "1"),)), period_s=5, success_threshold=1, failure_threshold=1
    )
    assert read.readiness is not None and read.readiness.handler == TcpConnect(0, port_name="web")
    assert (read.readiness.period_s, read.readiness.grace_period_s) == (1, 0)
    assert read.startup is not None and read.startup.handler == GrpcCheck(1, "s")
    assert (read.post_start, read.pre_stop, read.stop_signal) == (RunCommand(("a",)), Sleep(3), "SIGQUIT")
    assert checks_from_proto(desired_pb2.Container()) == Checks()


def test_an_action_that_only_a_newer_master_knows() -> None:
    sent = desired_pb2.Container(liveness_probe=desired_pb2.Probe(handler=desired_pb2.Handler()))
    read = checks_from_proto(sent)
    assert read.liveness is not None and read.liveness.handler == UnknownAction()
