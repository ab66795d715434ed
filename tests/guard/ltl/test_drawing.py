"""Pictures of automata."""

import shutil
import subprocess
from xml.etree import ElementTree

import pytest

from collegium.guard.ltl import draw_dot, draw_svg
from tests.guard.ltl.support import library

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", library())
def test_a_picture_shows_every_state_and_move(name: str) -> None:
    spec = library()[name]
    machine = spec.automaton
    root = ElementTree.fromstring(draw_svg(machine, spec.source))
    groups = root.findall(f"{SVG}g")
    assert len(groups) == len(machine.table)
    rings = [len(g.findall(f"{SVG}circle")) for g in groups]
    assert [r == 2 for r in rings] == list(machine.accepting)
    written = {t.text for t in root.findall(f"{SVG}text")}
    for q in range(len(machine.table)):
        for letter in machine.allowed(q):
            assert any(letter in (text or "").split(" | ") for text in written)
    places = [(g.find(f"{SVG}circle").get("cx"), g.find(f"{SVG}circle").get("cy")) for g in groups]
    assert len(set(places)) == len(places)


def test_names_are_escaped() -> None:
    machine = library()["react"].automaton
    ElementTree.fromstring(draw_svg(machine, "<a & b>", {"Q": "<Q>"}))


def test_graphviz_reads_the_text() -> None:
    text = draw_dot(library()["react"].automaton, 'a "quoted" title')
    assert text.count("->") == 1 + 6 + 6  # start, moves, and dead moves of six states
    assert "sink" in text
    if shutil.which("dot") is None:
        pytest.skip("the Debian package graphviz is missing")
    done = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
