"""What each host of a lab has of its own: a container engine, a wall clock, and a disk that can refuse writes."""
