"""What the components behind the API have in common: each follows the cache, records events and judges pods alike.

The components are controllers, scheduler and dispatch. They use this room instead of each other.
"""
