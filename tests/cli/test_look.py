"""papers, show, systems, benchmarks, models, help: what there is."""

import time

import pytest


def test_papers(shell):
    papers = shell.json("papers")
    assert len(papers) == 79
    (mad,) = [p for p in papers if p["slug"] == "mad"]
    assert mad["status"] in ("runs", "faithful", "measured")
    assert {"title", "arxiv", "kind", "summary", "headline"} <= mad.keys()
    lines = shell("papers").stdout.splitlines()
    assert len(lines) == 80
    assert all(p["summary"] in line for p, line in zip(papers, lines[1:], strict=True))


def test_papers_by_words_kind_and_facet(shell):
    assert shell.json("papers", "mad")[0]["slug"] == "mad"
    guards = shell.json("papers", "--kind", "guard")
    assert "progent" in {p["slug"] for p in guards}
    maths = shell.json("papers", "--facet", "domain=mathematics", "--facet", "stage=late")
    assert "mad" in {p["slug"] for p in maths}
    assert len(maths) < len(shell.json("papers", "--facet", "domain=mathematics"))
    nothing = shell("papers", "zzzz")
    assert (nothing.returncode, nothing.stdout) == (0, "No paper matches.\n")


@pytest.mark.parametrize("width", [80, 120])
def test_fits_the_terminal(shell, width):
    for args in (["papers"], ["papers", "debate"], ["show", "mad"], ["systems"], ["benchmarks"],
                 ["models"], ["--help"], ["compare", "--help"]):  # fmt: skip
        text = shell(*args, COLUMNS=str(width)).stdout
        assert text, args
        assert max(map(len, text.splitlines())) <= width, args


def test_show_a_paper(shell):
    text = shell("show", "mad").stdout
    for words in ("2505.22960", "collegium.systems.mad", "agents", "Published figures", "Measured",
                  "decentralised", "7 checks"):  # fmt: skip
        assert words in text
    data = shell.json("show", "mad")
    assert data["systems"][0]["parameters"]["agents"] == {"type": "int", "default": 3}
    assert data["systems"][0]["module"] == "collegium.systems.mad"
    assert isinstance(data["measured"], list)


def test_show_a_paper_that_nothing_implements(shell):
    data = shell.json("show", "dylan")
    if data["status"] == "missing":
        assert data["systems"] == []
        assert "none yet" in shell("show", "dylan").stdout


def test_show_a_system(shell):
    text = shell("show", "self-consistency").stdout
    assert "samples" in text
    assert "a baseline" in text
    assert shell.json("show", "self-consistency")["parameters"]["samples"]["default"] == 5


def test_systems(shell):
    names = {s["name"] for s in shell.json("systems")}
    assert {"direct", "cot", "self-consistency", "self-refine", "mad"} <= names
    text = shell("systems").stdout
    assert all(name in text for name in names)


def test_benchmarks(shell):
    found = {b["name"]: b for b in shell.json("benchmarks")}
    assert {"gsm-symbolic", "gsm8k", "math500", "mmlu", "humaneval"} <= found.keys()
    assert "COLLEGIUM_DATA" in found["gsm8k"]["missing"]


def test_models(shell):
    found = {m["name"]: m for m in shell.json("models")}
    assert {"local", "local-small", "local-tiny"} <= found.keys()
    assert not found["local"]["present"]
    assert "local-tiny" in shell("models").stdout


def test_version_and_help(shell):
    assert shell("--version").stdout.startswith("collegium ")
    text = shell("--help").stdout
    for name in ("run", "compare", "trace", "papers", "show", "systems", "benchmarks", "models"):
        assert name in text


def test_help_is_quick(shell):
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        shell.real("--help")
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 1.5  # 0.3 s where nothing else runs
