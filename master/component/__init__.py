"""What the components behind the API share: following the cache, recording events, reading the state of a pod, the form
of bootstrap tokens.

The components are controllers, scheduler and dispatch. They import this room and never each other.
"""
