"""The network between pods of different nodes: backends behind one Protocol, all of them pure."""
