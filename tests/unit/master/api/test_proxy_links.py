"""Links in pages that go through a proxy, whatever the pieces in which a page comes."""

from __future__ import annotations

import gzip
import re
import zlib
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from master.api.remote import proxylinks
from master.api.remote.proxyheaders import redirected
from master.api.remote.proxylinks import Coded, Links, page

PREFIX = "/proxy"
MOVED = partial(redirected, host="api.example:6443", pod="10.244.0.5:80", prefix=PREFIX)

PAGES = [
    pytest.param('<a href="/x">t</a>', '<a href="/proxy/x">t</a>', id="a link"),
    pytest.param("<A  CLASS=c HREF='/x?a=1&amp;b=2'>", '<A  CLASS=c HREF="/proxy/x?a=1&amp;b=2">', id="other quotes"),
    pytest.param("<img src=/x.png alt=a>", '<img src="/proxy/x.png" alt=a>', id="no quotes"),
    pytest.param('<a href = "/x" >', '<a href="/proxy/x" >', id="spaces"),
    pytest.param('<a title="a > b" href="/x">', '<a title="a > b" href="/proxy/x">', id="an end in quotes"),
    pytest.param('<img longdesc="/a" src="/b"/>', '<img longdesc="/proxy/a" src="/proxy/b"/>', id="two links"),
    pytest.param('<a href="http://10.244.0.5:80/x">', '<a href="/proxy/x">', id="the pod itself"),
    pytest.param('<a href="/proxy/x">', '<a href="/proxy/x">', id="a link to the proxy"),
    pytest.param('<a href="x">', '<a href="x">', id="a relative link"),
    pytest.param('<a href="http://example/x">', '<a href="http://example/x">', id="another host"),
    pytest.param('<a data-href="/x" id="/x">', '<a data-href="/x" id="/x">', id="other attributes"),
    pytest.param('<p href="/x">', '<p href="/x">', id="another element"),
    pytest.param('<!-- <a href="/x"> --><a href="/x">', '<!-- <a href="/x"> --><a href="/proxy/x">', id="a comment"),
    pytest.param('<!--><a href="/x">', '<!--><a href="/proxy/x">', id="an empty comment"),
    pytest.param('<!doctype html><a href="/x">', '<!doctype html><a href="/proxy/x">', id="a doctype"),
    pytest.param(
        """<script src="/s">if (a<b) '<a href="/x">'</script><a href="/x">""",
        """<script src="/proxy/s">if (a<b) '<a href="/x">'</script><a href="/proxy/x">""",
        id="a script",
    ),
    pytest.param('1 < 2 <a href="/x">', '1 < 2 <a href="/proxy/x">', id="a sign"),
    pytest.param('caf\xc3\xa9 <a href="/&euro;/\xe9">', 'caf\xc3\xa9 <a href="/proxy/&#8364;/\xe9">', id="letters"),
    pytest.param('<a href="/x', '<a href="/x', id="an unfinished tag"),
    pytest.param("", "", id="nothing"),
]


def through(changing: Links | Coded, *pieces: bytes) -> bytes:
    return b"".join([part for piece in pieces for part in changing.feed(piece)]) + changing.end()


@pytest.mark.parametrize(("sent", "expected"), PAGES)
def test_a_page_is_the_same_in_any_pieces(sent: str, expected: str) -> None:
    data, after = sent.encode("latin-1"), expected.encode("latin-1")
    assert through(Links(MOVED), data) == after
    assert through(Links(MOVED), *(data[n : n + 1] for n in range(len(data)))) == after


@given(st.lists(st.sampled_from(["<", ">", "a", " ", "href", "=", '"', "'", "/", "!--", "-->", "script", "\xff"])))
def test_other_text_passes_unchanged(words: list[str]) -> None:
    data = "".join(words).encode("latin-1")
    assert through(Links(lambda link: link), *(word.encode("latin-1") for word in words)) == data


def test_a_piece_full_of_unfinished_tags_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each search for the end of a tag reads thousands of characters, and the master does nothing else meanwhile."""
    searched: list[int] = []

    class Counting:
        def match(self, text: str, start: int, end: int) -> re.Match[str] | None:
            searched.append(min(end, len(text)) - start)
            return tags.match(text, start, end)

    tags = proxylinks._TAG
    monkeypatch.setattr(proxylinks, "_TAG", Counting())
    data = b'<a x="' * 10_000
    assert through(Links(MOVED), data) == data
    assert 0 < sum(searched) <= len(data)


def test_a_letter_of_another_alphabet_begins_no_tag() -> None:
    data = b"<\xe9" + b"x" * 20_000
    assert through(Links(MOVED), data, b'<a href="/x">') == data + b'<a href="/proxy/x">'


def test_an_endless_tag_is_not_kept() -> None:
    links = Links(MOVED)
    passed = sum(len(part) for _ in range(40) for part in links.feed(b"<a " + b"x" * 1000))
    assert passed > 20_000
    assert through(links, b'> <a href="/x">').endswith(b'<a href="/proxy/x">')


def test_encoded_pages_are_encoded_again() -> None:
    sent, expected = b'<a href="/x">t</a>' * 10_000, b'<a href="/proxy/x">t</a>' * 10_000
    packed = gzip.compress(sent)
    assert gzip.decompress(through(Coded(Links(MOVED), "gzip"), packed[:9], packed[9:])) == expected
    raw = zlib.compressobj(wbits=-15)
    deflated = raw.compress(sent) + raw.flush()
    assert zlib.decompress(through(Coded(Links(MOVED), "deflate"), deflated), wbits=-15) == expected
    with pytest.raises(zlib.error):
        through(Coded(Links(MOVED), "gzip"), b"no gzip")


@pytest.mark.parametrize(
    ("content_type", "encoding", "kind"),
    [
        ("text/html", "", Links),
        ("text/html; charset=utf-8", "gzip", Coded),
        ("text/html", "deflate", Coded),
        ("text/html", "br", None),
        ("text/plain", "", None),
        ("", "", None),
    ],
)
def test_only_pages_in_a_known_encoding_change(content_type: str, encoding: str, kind: type | None) -> None:
    changing = page(content_type, encoding, MOVED)
    assert changing is None if kind is None else type(changing) is kind
