"""A lab's hosts as plain data: where they are, what runs on them, and their faults."""

from typing import Any

from lab.lab import Lab


def survey(lab: Lab) -> list[dict[str, Any]]:
    """One document for each host. `pids`: the daemons by name; `allPids`: also shims and containers.

    Raises NotFound.
    """
    documents = []
    for host in lab.state.hosts:
        paths = lab.layout.host(host.name)
        is_node = host.role == "node"
        documents.append(
            {
                "name": host.name,
                "role": host.role,
                "networkNamespace": lab.layout.netns_name(host.name),
                "address": str(host.address),
                "engineSocket": str(paths.engine_socket) if is_node else None,
                "directory": str(paths.directory),
                "stateDirectory": str(paths.agent_state if is_node else paths.master_data),
                "cut": host.cut,
                "faults": list(host.faults()),
                "pids": lab.running(host.name),
                "allPids": lab.pids(host.name),
            }
        )
    return documents
