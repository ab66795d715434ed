"""Comparing answers, addresses and texts of pages."""

import pytest

from collegium.worlds.web.matching import clean, exact_match, html_match, must_include, url_match

MODES = pytest.mark.parametrize("mode", ["fixed", "compat"])


@pytest.fixture(autouse=True)
def tokenizer() -> None:
    pytest.importorskip("nltk")


@MODES
@pytest.mark.must_show("webarena", 3)
def test_answers(mode) -> None:
    assert must_include(["6"], "6", mode)
    assert not must_include(["6"], "16", mode)
    assert must_include(["6"], "6 reviews", mode)
    assert must_include(["170"], "000000170", mode)
    assert exact_match("N/A", "'n/a'")
    assert not exact_match("N/A", "'n/a' or so")
    forums = " |OR| ".join(f"http://h/f/{name}" for name in ("deeplearning", "ML", "singularity"))
    for name in ("deeplearning", "ML", "singularity"):
        assert url_match(forums, f"http://h/f/{name}/12/what-is", mode)
    assert not url_match(forums, "http://h/f/books/12/what-is", mode)


@MODES
@pytest.mark.must_show("webarena", 4)
def test_queries(mode) -> None:
    wanted = "http://h/i?sort=created_asc&state=opened"
    assert url_match(wanted, "http://h/i?state=opened&page=2&sort=created_asc", mode)
    assert not url_match(wanted, "http://h/i?state=opened&page=2", mode)
    assert not url_match(wanted, "http://h/i?state=closed&sort=created_asc", mode)


def test_what_fixed_mends() -> None:
    pytest.importorskip("nltk")
    either = ["65 |OR| 3"]
    assert must_include(either, "about 3 stars", "fixed")
    assert not must_include(either, "about 3 stars", "compat")
    # One character of several: the original looks for it anywhere.
    assert not must_include(["6", "stars"], "16 stars", "fixed")
    assert must_include(["6", "stars"], "16 stars", "compat")
    # A longer path that only begins alike.
    assert not url_match("http://h/a/b", "http://h/a/bc", "fixed")
    assert url_match("http://h/a/b", "http://h/a/bc", "compat")
    assert url_match("http://h/a/b", "http://h/a/b/c/", "fixed")
    # Queries belong to their own address.
    several = "http://h/a?x=1 |OR| http://h/b"
    assert url_match(several, "http://h/b", "fixed") and not url_match(
        several, "http://h/b", "compat"
    )


def test_a_single_character_stands_alone() -> None:
    for good in ("6", "It is 6.", "(6)", "6, as said", "number 6!"):
        assert must_include(["6"], good, "fixed"), good
    for bad in ("6.5", "1,6", "a6", "66", "x6y", "0.6"):
        assert not must_include(["6"], bad, "fixed"), bad


def test_cleaning() -> None:
    assert clean("  'Yes' ") == "yes"
    assert clean('"a"') == "a" and clean("\"a'") == "\"a'" and clean("'") == "'"


@MODES
def test_pages(mode) -> None:
    assert html_match(
        {"must_include": ["mouth guard |OR| splint", "bruxism"]}, "Bruxism splint", mode
    )
    assert not html_match({"must_include": ["mouth guard", "bruxism"]}, "bruxism", mode)
    assert html_match({"exact_match": "Open"}, " open ", mode)
    assert html_match({"must_include": ["6"]}, "16", mode)  # words do not count on pages
    with pytest.raises(KeyError):
        html_match({"about": "x"}, "x", mode)
