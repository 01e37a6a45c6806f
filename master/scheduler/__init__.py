"""Which node a pod runs on: snapshot, predicates, priorities, binding."""
