"""Network tests with real packets: topologies of namespaces, probes, captures, drawings, and their pytest plugin.

Imports only `netstack`, and `hull` below it, so that it can be installed into the environment of any project. Inside,
`plugin` uses `topology`, and `topology` uses `drawing`; `probe` and `capture` are independent of both.
"""
