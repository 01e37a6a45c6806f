"""netstack: pod links, addresses, overlay and service rules on one Linux host.

A synchronous library that knows links, addresses, routes and rules, and nothing of pods' specs. It owns whole
links, chains and routes by name or mark and leaves everything else alone. It imports nothing else of Sampan.
"""
