"""What the clients did and saw, for the judgement at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.service.master.api.history.things import Json, Key, Selection

UNKNOWN = 0
# The end of a request whose outcome is never learned.
ANY_TIME = 1 << 60


@dataclass
class Write:
    """A request that changes objects. Revisions are those of the master's cache before the request and after it.

    `code` UNKNOWN: the master died before it answered, and `ended` is the revision at which the next one began; or the
    client did not wait for the answer, or the disk failed, and `ended` is ANY_TIME.
    """

    stamp: int
    verb: str
    key: Key
    body: Json = field(default_factory=dict)
    version: str = ""
    uid: str = ""
    selection: Selection | None = None
    dry: bool = False
    began: int = 0
    ended: int = 0
    code: int = UNKNOWN
    answer: Json = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the client knows that it has changed something."""
        return 200 <= self.code < 300 and not self.dry

    @property
    def possible(self) -> bool:
        """Whether it may have changed something. A deletion of a collection that fails may have begun."""
        return self.accepted or (not self.dry and (self.code == UNKNOWN or self.selection is not None))

    @property
    def releases(self) -> bool:
        """Whether it leaves no finalizers: then it removes an object that is being deleted."""
        return self.verb == "update" and not self.body["metadata"].get("finalizers")

    def __str__(self) -> str:
        return f"write {self.stamp} ({self.verb} {self.key}, {self.code or 'no answer'})"


@dataclass
class Read:
    """A list, or one object (`key`), as a client got it. The list has only what is after `after` and up to `upto`."""

    selection: Selection
    began: int
    ended: int
    code: int
    answer: Json
    key: Key | None = None
    after: Key | None = None
    upto: Key | None = None


@dataclass
class Stream:
    """One connection of a watcher. `since`: the revision after which it starts; None: with all objects.

    `opened`: the revision of the cache when the stream began, 0 if it never did; `latest`: when the last event came.
    `complete`: it was open at the end of the run, and had time to get everything.
    """

    selection: Selection
    since: int | None
    initial: bool = False
    opened: int = 0
    latest: int = 0
    code: int = 0
    events: list[Json] = field(default_factory=list)
    complete: bool = False


@dataclass
class Journey:
    """All that one watcher got: lists, and the streams after them, in this order."""

    selection: Selection
    legs: list[Read | Stream] = field(default_factory=list)


@dataclass(frozen=True)
class Sight:
    """The state that a follower of the cache had at a revision. `wrong`: changes that did not fit the state before."""

    plurals: tuple[str, ...]
    revision: int
    state: dict[Key, Json]
    wrong: tuple[str, ...] = ()


@dataclass
class Record:
    """A whole run."""

    writes: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    journeys: list[Journey] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
