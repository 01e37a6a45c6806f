"""Between the contract's messages and the agent's values: checks incoming messages and converts both ways.

No other room converts. The session and the desired state carry messages; the rest of the agent never sees one, except
departure.py, which asks the master outside of any session and reads its few answers itself.
"""
