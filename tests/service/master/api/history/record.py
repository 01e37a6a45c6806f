"""What the clients did and saw, for the judgement at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.service.master.api.history.things import Json, Key, Selection

UNKNOWN = 0


@dataclass
class Write:
    """A request that changes objects. Revisions are those of the master's cache before the request and after it.

    `code` UNKNOWN: the master died before it answered; `ended` is then the revision at which the next one began.
    """

    stamp: int
    verb: str
    key: Key
    body: Json = field(default_factory=dict)
    version: str = ""
    uid: str = ""
    selection: Selection | None = None
    began: int = 0
    ended: int = 0
    code: int = UNKNOWN
    answer: Json = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    @property
    def releases(self) -> bool:
        """Whether it leaves no finalizers: then it removes an object that is being deleted."""
        return self.verb == "update" and not self.body["metadata"].get("finalizers")

    def __str__(self) -> str:
        return f"write {self.stamp} ({self.verb} {self.key}, {self.code or 'no answer'})"


@dataclass
class Read:
    """A list, or one object (`key`), as a client got it."""

    selection: Selection
    began: int
    ended: int
    code: int
    answer: Json
    key: Key | None = None


@dataclass
class Stream:
    """One connection of a watcher. `since`: the revision after which it starts; None: with all objects.

    `opened`: the revision of the cache when the stream began, 0 if it never did. `complete`: it was open at the end of
    the run, and had time to get everything.
    """

    selection: Selection
    since: int | None
    initial: bool = False
    opened: int = 0
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
    """The state that a follower of the cache had at a revision."""

    plurals: tuple[str, ...]
    revision: int
    state: dict[Key, Json]


@dataclass
class Record:
    """A whole run."""

    writes: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    journeys: list[Journey] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
