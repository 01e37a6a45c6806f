"""Several hosts on one machine: network namespaces with an engine each, a registry, clusters, and faults on demand.

A lab is for people and tests alike; everything that it makes is named after it and lies in one directory, so that it
can be removed exactly. It starts master and agents as processes and imports neither.
"""
