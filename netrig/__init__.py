"""Network tests with real packets: topologies of namespaces, probes, captures, drawings, and their pytest plugin.

Stands on `netstack` alone (and on `hull` below it), so that it can be installed into any project's environment.
"""
