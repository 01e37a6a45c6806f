"""The mirror of the store in memory: objects as the bytes that clients get, their changes, and their subscribers."""

from master.cache.backlog import Batch, Lagged
from master.cache.cache import Cache, typed
from master.cache.decoding import Unreadable
from master.cache.entry import Change, Entry
from master.cache.history import HistoryGone
from master.cache.serving import Serving
from master.cache.snapshots import Page
from master.cache.subscription import Snapshot, Subscription
from master.cache.table import NotServed

__all__ = [
    "Batch",
    "Cache",
    "Change",
    "Entry",
    "HistoryGone",
    "Lagged",
    "NotServed",
    "Page",
    "Serving",
    "Snapshot",
    "Subscription",
    "Unreadable",
    "typed",
]
