"""How hostile text is shown: characters that hide are written out, links lead nowhere bad."""

import pytest

pytest.importorskip("nicegui")

from collegium.studio.frame import _quoted
from collegium.studio.gate import login_page
from collegium.studio.safe import attribute, safe_link, shown


def test_characters_that_hide_or_turn_text_are_written_out() -> None:
    assert shown("a\u202eb") == "a⟨U+202E⟩b"
    assert shown("zero\u200bwidth\ufeff") == "zero⟨U+200B⟩width⟨U+FEFF⟩"
    assert shown("\x1b[31mred\x07\x00") == "␛[31mred␇␀"
    assert shown("half \ud800") == "half ⟨U+D800⟩"
    assert shown("tag\U000e0041") == "tag⟨U+E0041⟩"


def test_lines_tabs_and_other_scripts_stay() -> None:
    for text in ("two\nlines\tand tab", "naïve ☕ 漢字 عربى", "<b>& 'quotes'</b>"):
        assert shown(text) == text
    assert shown("from\r\nwindows") == "from\nwindows"


def test_a_long_text_is_cut_and_says_so() -> None:
    text = shown("x" * 50, 20)
    assert text == "x" * 20 + "\n… 30 more characters"
    assert shown("x" * 20, 20) == "x" * 20


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "//evil.example/x",
        "\\\\evil.example",
        "/\\evil.example",
        "file:///etc/passwd",
        "http://[broken",
        "relative",
    ],
)
def test_an_address_that_could_run_or_lead_astray_becomes_none(address: str) -> None:
    assert safe_link(address) == "#"


@pytest.mark.parametrize(
    "address", ["/paper/mad?x=1", "#content", "?q=a", "https://arxiv.org/abs/1", "mailto:a@b.c"]
)
def test_other_addresses_stay(address: str) -> None:
    assert safe_link(address) == address


def test_attributes_are_names_and_no_code() -> None:
    assert attribute("aria_label") == "aria-label"
    assert attribute("for_") == "for"
    for bad in ("onclick", "onerror", ":href", "a b", "OnLoad", "x=y"):
        with pytest.raises(ValueError, match="no plain attribute"):
            attribute(bad)


def test_an_error_as_javascript_holds_no_character_that_could_end_it() -> None:
    told = _quoted("</script>\"'`${x}\u2028\\ é😀")
    assert told.startswith('"') and told.endswith('"')
    assert not set("<>'`$\\") & set(told[1:-1].replace("\\u", "")) and '"' not in told[1:-1]
    assert told.encode().decode("unicode_escape").encode("utf-16", "surrogatepass")


def test_the_page_that_asks_for_the_token_has_no_script() -> None:
    assert b"<script" not in login_page("wrong")
