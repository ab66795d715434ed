"""Whether a feed keeps the rules of Atom (RFC 4287)."""

from pathlib import Path

import pytest


def checked(feed: bytes):
    """A feed that keeps the rules: by their grammar, and what the grammar cannot say."""
    etree = pytest.importorskip("lxml.etree")
    tree = etree.fromstring(feed)
    grammar = etree.RelaxNG(etree.parse(str(Path(__file__).with_name("atom.rng"))))
    assert grammar.validate(tree), grammar.error_log
    names = {"a": "http://www.w3.org/2005/Atom"}
    ids = tree.xpath("//a:id/text()", namespaces=names)
    assert len(ids) == len(set(ids))
    dates = tree.xpath("a:entry/a:updated/text()", namespaces=names)
    assert dates == sorted(dates, reverse=True)
    assert tree.xpath("a:updated/text()", namespaces=names) == (
        dates[:1] or ["1970-01-01T00:00:00Z"]
    )
    return tree
