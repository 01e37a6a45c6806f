"""`sampan up`: makes a lab with a cluster in it that serves the examples; what exists already is kept."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.options import add_lab, add_output, show
from cli.parsing import add_command, lab_size
from cli.progress import Progress

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.lab import Lab


_NODES: Final = 3


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers,
        "up",
        description="Make a lab with a cluster in it that serves the examples. Run again, it starts and makes only "
        "what is missing. Needs root.",
    )
    add_lab(parser)
    parser.add_argument("--nodes", type=lab_size, metavar="N", help=f"nodes of a new lab; default: {_NODES}")
    parser.add_argument("--no-examples", action="store_true", help="an empty cluster, without guestbook and front end")
    parser.add_argument(
        "--kubernetes-periods",
        action="store_true",
        help="heartbeat, grace period and eviction of a new lab as in Kubernetes (10, 40 and 300 s) instead of 1, 5 "
        "and 2 s",
    )
    add_output(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from cli.status import render, survey
    from lab.cluster import Cluster
    from lab.config import KUBERNETES_PERIODS, Periods
    from lab.distribution import install
    from lab.lab import Lab
    from lab.state import command_lock

    progress = Progress()
    install(progress)
    lab = Lab(options.lab)
    periods = KUBERNETES_PERIODS if options.kubernetes_periods else Periods()
    with command_lock(lab.layout):
        cluster = Cluster(lab, periods=periods)
        with progress.step("hosts"):
            lab.create(nodes=_NODES if options.nodes is None else options.nodes)
        _warn_of_what_stays(lab, options, progress)
        _start_machinery(lab, progress)
        _start_cluster(cluster, progress)
        if not options.no_examples:
            _serve_examples(cluster, progress)
    took_s = progress.total_s
    document = survey(cluster.kubeconfig)
    progress.say(f"up in {took_s:.2f} s")
    show(options, document, lambda: render(document))
    return exits.OK


def _warn_of_what_stays(lab: "Lab", options: argparse.Namespace, progress: Progress) -> None:
    """Say which options have no effect because the lab exists already, and which cables are faulty."""
    nodes = len(lab.state.nodes)
    if options.nodes not in (None, nodes):
        progress.say(f"lab {lab.name} keeps its number of nodes, {nodes}: --nodes is for a new lab")
    if options.kubernetes_periods and (lab.host_paths(lab.state.master.name).etc / "master.toml").exists():
        progress.say(f"lab {lab.name} keeps its periods: --kubernetes-periods is for a new lab")
    for host in lab.state.hosts:
        if host.faults():
            faults = ", ".join(host.faults())
            progress.say(f"{host.name} is faulty ({faults}) and stays so; `sampan lab heal {host.name}` repairs it")


def _start_machinery(lab: "Lab", progress: Progress) -> None:
    """Start the engines and the registry with its images side by side: neither needs the other."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        engines = pool.submit(_step, progress, "engines", lab.start_engines)
        images = pool.submit(_start_registry, lab, progress)
    engines.result()
    images.result()


def _start_registry(lab: "Lab", progress: Progress) -> None:
    _step(progress, "registry", lab.start_registry)
    _step(progress, "images", lab.push_images)


def _start_cluster(cluster: "Cluster", progress: Progress) -> None:
    _step(progress, "master and agents", cluster.start)
    _step(progress, "API", cluster.wait_api)
    _step(progress, "nodes Ready", cluster.wait_nodes)


def _serve_examples(cluster: "Cluster", progress: Progress) -> None:
    from lab.workloads import EXAMPLES, apply_examples, wait_front_end, wait_ready

    _step(progress, "apply " + ", ".join(path.stem for path in EXAMPLES), partial(apply_examples, cluster))
    _step(progress, "pods Ready", partial(wait_ready, cluster))
    _step(progress, "front end answers", partial(wait_front_end, cluster))


def _step(progress: Progress, name: str, work: Any) -> None:
    with progress.step(name):
        work()
