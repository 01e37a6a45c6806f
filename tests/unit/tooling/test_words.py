"""Plain words: no sentence that a person reads matches a pattern of riddling prose.

Each pattern has an example that it must find and an ordinary sentence that it must not find. This file has the bad
examples, so it is the only one that is not searched.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pytest

from tests.unit.tooling.sentences import ROOT, of_file, of_repository


@dataclass(frozen=True)
class Pattern:
    """`regex` is searched in each sentence on its own, where ^ and $ are its ends. `instead` is the advice."""

    id: str
    regex: str
    instead: str
    bad: str
    good: str


# Verbs after a vague "who": not those of headings such as "Who may import what".
_WHO_VERBS = (
    "asked|asks|called|calls|came|comes|did|does|failed|fails|falls|fell|gets|got|had|has|held|holds|is|joined|joins|"
    "knew|knows|leaves|left|loses|lost|misses|needs|ran|reads|runs|said|says|trusts|used|uses|waits|wants|was|were"
)

PATTERNS = [
    Pattern(
        "somebody's",
        r"\b(?:some|no)body(?:'s| s\b)",
        "name the owner, or write: another program's, foreign, without an owner",
        "a file of somebody's stays",
        "a file that another program wrote stays",
    ),
    Pattern(
        "is told",
        r"\b(?:is|are|was|were|be|been) told\b(?! apart\b)",
        "say who reports, prints, logs or documents what; for a command to a program: has to, must",
        "How far they are is told every twenty seconds.",
        "The two are told apart by their id.",
    ),
    Pattern(
        "is said",
        r"\b(?:is|are|was|were) said\b(?! to\b)",
        "reported, printed, logged, named in the message",
        "what is wrong is said",
        "A pod is said to be ready when all its containers are.",
    ),
    Pattern(
        "this much is",
        r"\b[Tt]h(?:is|at) much (?:is|was)\b",
        "give the limit: at most, up to, the longest",
        "Of what is wrong with a body, this much is said.",
        "The limit for this message is 1 KiB.",
    ),
    Pattern(
        "tells of",
        r"\btells? of\b",
        "reports, announces, logs",
        "The monitor tells of changes.",
        "The monitor reports changes and tells the caller which link changed.",
    ),
    Pattern(
        "hears of",
        r"\bhears? of\b",
        "gets, receives, learns, is notified of",
        "The node hears of it later.",
        "The node learns about it later.",
    ),
    Pattern(
        "asks of",
        r"\bask(?:s|ed)? of\b",
        "requests from, needs from, looks up in, calls",
        "What tests ask of a host.",
        "What tests request from a host; the tasks of a loop.",
    ),
    Pattern(
        "who",
        rf"(?:^|[;:] )(?!who has$)[Ww]ho (?:{_WHO_VERBS})\b(?! (?:how|what|when|where|which|whom|why)\b)(?!.*\?$)",
        "a noun: a daemon that, a client that, the caller, the owner",
        "Who ran for longer did not fail at its start.",
        "Who has access?",
    ),
    Pattern(
        "whose",
        r"^Whose\b(?!.*\?$)",
        "start with the subject",
        "Whose rules changed is not read.",
        "Whose rules are these?",
    ),
    Pattern(
        "whoever",
        r"\b[Ww]ho(?:m|se)?ever\b",
        "a noun: the caller, any client, the process that",
        "an error for whoever asks",
        "an error for the caller",
    ),
    Pattern(
        "is no",
        r"(?<![Tt]here )\b(?:is|are|was|were) no"
        r" (?!(?:and|but|if|longer|matter|one|or|when)\b|(?:fewer|less|more|\w+er) than\b)[a-z]+",
        "is not a; is missing; does not exist",
        "A link is no file.",
        "There is no file, and the link is no longer than 15 characters.",
    ),
    Pattern(
        "that is none",
        r"\b(?:that|what|which) (?:is|are|was|were) none\b(?! of (?:the|them|these)\b)",
        "name the thing: a value that is not a number",
        "Raises ValueError for one that is none.",
        "There is none, and the default is none.",
    ),
    Pattern(
        "one that",
        r"^One (?:of before|that|which|who|whose)\b",
        "start with the noun",
        "One that fails is tried again.",
        "A request that fails is tried again, as is one that times out.",
    ),
    Pattern(
        "what is used of",
        r"\b[Ww]hat is (?:asked|kept|known|needed|read|said|seen|shown|told|used|wanted) of\b",
        "a noun: the parts of ... that are used; the desired state of; the record of",
        "What is used of the kernel.",
        "The part of the kernel that is used; what is left of it.",
    ),
    Pattern(
        "of what",
        r"^Of what\b",
        "start with the subject",
        "Of what is in the wheel, only this is hashed.",
        "The hash covers what is in the wheel.",
    ),
    Pattern(
        "of a",
        r"^Of (?:all|an?|each|every|its|one|that|the|these|this)\b"
        r"(?!.*\b(?:alone|four|half|most|none|only|some|three|two)\b)",
        "a whole sentence that starts with the subject",
        "Of the service whose pod runs there.",
        "Of the three nodes only one is ready, and of its pods web alone.",
    ),
    Pattern(
        "so many",
        r"^So (?:few|long|many|much)\b(?! as\b)",
        "give the limit or the number first",
        "So long the rest of a body is read.",
        "The rest of a body is read for this long.",
    ),
    Pattern(
        "in Docker's place",
        r"\bin (?:the )?\w+'s place\b",
        "instead of, in place of",
        "Podman's socket does in Docker's place.",
        "Podman's socket works in place of Docker's, and a fake takes its place.",
    ),
    Pattern(
        "gives back",
        r"\b(?:gave|gives?|given) back\b",
        "returns, releases",
        "It gives back what it printed.",
        "It returns what the program printed, and gives it back later.",
    ),
    Pattern(
        "lets go of",
        r"\b(?:lets?|letting) go of\b",
        "releases, closes, drops",
        "The kernel lets go of the lock.",
        "The kernel releases the lock.",
    ),
    Pattern(
        "of before",
        r"\bof before\b",
        "older, earlier, previous; or name the release",
        "Masters of before send none.",
        "Older masters send none.",
    ),
    Pattern(
        "for good",
        r"\bfor good\b(?! (?:measure|practice|reasons?|results?)\b)",
        "forever, permanently, finally; or name the event",
        "A node whose machine is gone for good.",
        "Refused for good reason.",
    ),
    Pattern(
        "the way back",
        r"\bthe way back\b",
        "the reply, the return path, the rollback",
        "The answer takes the way back.",
        "The reply returns through the same node.",
    ),
    Pattern(
        "door",
        r"\b[Dd]oors?\b",
        "interface, socket, connection, frontend, entry point",
        "The door to the kernel.",
        "The interface to the kernel.",
    ),
    Pattern(
        "passage",
        r"\b[Pp]assages?\b",
        "the rules that accept; the path",
        "The passage for our packets.",
        "The chain SAMPAN-PASSAGE accepts our packets.",
    ),
    Pattern(
        "partner",
        r"\b[Pp]artners?\b",
        "peer, the other variant, the other end",
        "The daemon lost its partner.",
        "The daemon lost its peer.",
    ),
    Pattern(
        "hurried",
        r"\b[Hh]urr(?:ied|ies|y)\b",
        "reset the back-off, do it at once",
        "The retry is hurried.",
        "The back-off is reset, so the retry happens at once.",
    ),
    Pattern(
        "as it were",
        r"\bas it were\b",
        "leave it out",
        "The host's own file system, as it were.",
        "The file system stays as it was.",
    ),
    Pattern(
        "be it",
        r"(?<!can )(?<!could )(?<!may )(?<!might )(?<!must )(?<!should )(?<!to )(?<!will )(?<!would )\bbe it\b",
        "even if, whether or not",
        "It is ready, be it on its way out.",
        "That must be it.",
    ),
    Pattern(
        "to be had",
        r"\bto be had\b",
        "available, exists",
        "The image is not to be had.",
        "The image is not available.",
    ),
    Pattern(
        "its word",
        r"\b(?:his|its|their) word\b",
        "name the value or the message",
        "The master's report is its word.",
        "The error has the program's own words.",
    ),
    Pattern(
        "has it that",
        r"\bhas it that\b",
        "says that, requires that",
        "The API has it that names are unique.",
        "The API requires that names are unique.",
    ),
    Pattern(
        "unheard",
        r"\bunheard\b(?![ -]of\b)",
        "silent, without a heartbeat",
        "So long it may be alive unheard.",
        "It may run without a heartbeat for this long.",
    ),
    Pattern(
        "archaic",
        r"\b(?:anew|nought|thereof|therein|wherein|whereof)\b",
        "again, new, of it, in which",
        "The session is opened anew.",
        "The session is opened again.",
    ),
]


# One test for all patterns, because reading the sentences takes longer than all searches.
def test_no_sentence_has_a_pattern() -> None:
    sentences = [sentence for sentence in of_repository() if ROOT / sentence.path != Path(__file__)]
    starts = list(accumulate((len(sentence.text) + 1 for sentence in sentences), initial=0))
    text = "\n".join(sentence.text for sentence in sentences)
    found = [
        f"{sentences[bisect_right(starts, match.start()) - 1]}\n  write instead: {pattern.instead}"
        for pattern in PATTERNS
        for match in re.finditer(pattern.regex, text, re.MULTILINE)
    ]
    assert not found, f"{len(found)} sentences\n" + "\n".join(found)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_a_pattern_matches_its_bad_example_and_not_its_good_one(pattern: Pattern) -> None:
    assert re.search(pattern.regex, pattern.bad)
    assert not re.search(pattern.regex, pattern.good)


PYTHON = '''"""First sentence. Second one,
on two lines."""
X = 1  # beside code
# A comment
# goes on.  # noqa: E501
NAME = f"no file {X} here"
KEY = "oneword"


def test_a_name_is_read() -> None: ...
'''

MARKDOWN = """# Title

A paragraph with a [link](somewhere.md) and `code here`.
It goes on. Then ends.

- a bullet
  of two lines

```sh
not read
```

| a | cell |
|---|---|
| of | a table |
"""

PROTO = """// Of a message,
// two lines.
message A {
  string name = 1;
}
"""


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.py",
            PYTHON,
            [
                (1, "First sentence."),
                (1, "Second one, on two lines."),
                (3, "beside code"),
                (4, "A comment goes on."),
                (6, "no file {} here"),
                (10, "test a name is read"),
            ],
        ),
        (
            "a.md",
            MARKDOWN,
            [
                (1, "Title"),
                (3, "A paragraph with a [link] and `…`."),
                (4, "It goes on."),
                (4, "Then ends."),
                (6, "a bullet of two lines"),
                (13, "a"),
                (13, "cell"),
                (15, "of"),
                (15, "a table"),
            ],
        ),
        ("CHANGELOG.md", "## [Unreleased]\n\nNew.\n\n## [1.0]\n\nOld.\n", [(1, "[Unreleased]"), (3, "New.")]),
        ("a.proto", PROTO, [(1, "Of a message, two lines.")]),
    ],
    ids=["python", "markdown", "changelog", "proto"],
)
def test_sentences_are_extracted_with_their_lines(
    tmp_path: Path, name: str, content: str, expected: list[tuple[int, str]]
) -> None:
    (tmp_path / name).write_text(content)
    sentences = of_file(tmp_path / name, tmp_path)
    assert sorted((sentence.line, sentence.text) for sentence in sentences) == sorted(expected)
