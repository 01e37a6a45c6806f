"""netstack: pod links, addresses, overlay and service rules on one Linux host.

A synchronous library. It knows links, addresses, routes and rules, but no pod specs. It owns whole links, chains and
routes, which it recognizes by name or mark, and leaves everything else alone. It imports nothing else of Sampan.
"""
