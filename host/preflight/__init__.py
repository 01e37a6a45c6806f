"""What must be true of a host before it is a master or a node: facts (gather.py), and judges of them."""
