"""`sampan up`: from a bare machine to a cluster that serves the guestbook, and `sampan up` again: all in place."""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cli.options import add_lab
from cli.progress import Progress

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.lab import Lab


_NODES: Final = 3


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser(
        "up",
        help="make a lab and a cluster in it, serve the examples",
        description=__doc__,
    )
    add_lab(parser)
    parser.add_argument("--nodes", type=int, metavar="N", help="nodes of a new lab (3)")
    parser.add_argument("--no-examples", action="store_true", help="an empty cluster, without guestbook and front end")
    parser.add_argument(
        "--kubernetes-periods",
        action="store_true",
        help="heartbeats, grace and eviction as Kubernetes has them (10, 40, 300 s) instead of 1, 5 and 2 s",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
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
        _tell_what_stays(lab, options, progress)
        _start_machinery(lab, progress)
        _start_cluster(cluster, progress)
        if not options.no_examples:
            _serve_examples(cluster, progress)
    _tell(cluster, progress)
    return 0


def _tell_what_stays(lab: "Lab", options: argparse.Namespace, progress: Progress) -> None:
    """Say so when an option is for a new lab and this one is there already, and when a cable is faulty."""
    there = len(lab.state.nodes)
    if options.nodes not in (None, there):
        progress.say(f"lab {lab.name} keeps its number of nodes, {there}: --nodes is for a new lab")
    if options.kubernetes_periods and (lab.host_paths(lab.state.master.name).etc / "master.toml").exists():
        progress.say(f"lab {lab.name} keeps its periods: --kubernetes-periods is for a new lab")
    for host in lab.state.hosts:
        if host.faults():
            said = ", ".join(host.faults())
            progress.say(f"{host.name} is faulty ({said}), and stays so: `sampan lab heal {host.name}` mends it")


def _start_machinery(lab: "Lab", progress: Progress) -> None:
    """Engines beside registry and images: neither needs the other."""
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


def _tell(cluster: "Cluster", progress: Progress) -> None:
    from cli.status import overview

    started = time.monotonic()
    text = overview(cluster)
    progress.say(f"up in {progress.total_s - (time.monotonic() - started):.2f} s")
    print(text)


def _step(progress: Progress, name: str, work: Any) -> None:
    with progress.step(name):
        work()
