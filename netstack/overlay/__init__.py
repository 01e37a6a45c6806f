"""The network between nodes' pods: backends behind one Protocol, all of them pure."""
