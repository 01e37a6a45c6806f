"""Whole clusters on one machine: hosts as network namespaces, an engine on each node, a registry, and faults on demand.

A lab serves people and tests. Everything that belongs to it carries its name and lies in one directory, so that it can
be removed completely. Master and agents are started as processes and never imported.

- `lab`, `cluster`: make and remove a lab; start, stop and query the master and the agents on its hosts.
- `hosts`: what each host has of its own: engine, wall clock, write protection of its disk.
- `network`: subnet, underlay, faults of cables. `images`: pods' images and the registry. `faults`: faults on demand.
- `plugin`: the cluster fixtures for pytest. `machine`: recipes of hosts that boot systemd.
"""
