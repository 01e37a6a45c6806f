"""The mirror of the store in memory: objects as the bytes that clients get, their changes, and their subscribers."""

from master.cache.cache import Cache
from master.cache.entry import Change, Entry
from master.cache.history import HistoryGone
from master.cache.subscription import Batch, Lagged, Subscription

__all__ = ["Batch", "Cache", "Change", "Entry", "HistoryGone", "Lagged", "Subscription"]
