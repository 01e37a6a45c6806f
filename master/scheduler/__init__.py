"""The scheduler: chooses a node for each pod by predicates and priorities, and binds the pod to it."""
