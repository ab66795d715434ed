"""The records of tasks: reading, place holders, what is wrong with them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from collegium.errors import BadInput
from collegium.tasks.sources import data_file
from collegium.tasks.web import without_site
from collegium.worlds.web import filled, given_hosts, load_tasks, missing_hosts
from collegium.worlds.web.helpers import HELPERS
from collegium.worlds.web.task import SITES
from tests.worlds.web.site import web_task

HOSTS = {site: f"http://127.0.0.1:{9000 + n}" for n, site in enumerate(SITES)}


@pytest.fixture
def original():
    file = data_file("webarena/test.raw.json")
    if file is None:
        pytest.skip("webarena/test.raw.json is not in the folder of data")
    return load_tasks(file)


@pytest.mark.must_show("webarena", 1)
def test_all_records_load(original) -> None:
    tasks = original.tasks
    assert len(tasks) == 812 and not original.problems
    sites = Counter(task.sites[0] if len(task.sites) == 1 else "several" for task in tasks)
    assert sites == {
        "shopping": 187,
        "shopping_admin": 182,
        "gitlab": 180,
        "map": 109,
        "reddit": 106,
        "several": 48,
    }
    kinds = Counter("+".join(task.eval.eval_types) for task in tasks)
    assert kinds == {
        "string_match": 325,
        "program_html": 282,
        "url_match+program_html": 129,
        "url_match": 66,
        "string_match+url_match": 10,
    }
    answers = Counter(
        "N/A" if value == "N/A" else kind
        for task in tasks
        for kind, value in (task.eval.reference_answers or {}).items()
    )
    assert answers == {"must_include": 176, "fuzzy_match": 82, "exact_match": 45, "N/A": 36}
    assert len({task.intent_template for task in tasks}) == 241


@pytest.mark.must_show("webarena", 1)
def test_every_place_holder_is_filled_or_told_of(original, monkeypatch) -> None:
    hosts = given_hosts(HOSTS)
    for task in original.tasks:
        whole = filled(task, hosts)
        text = json.dumps([whole.start_url, whole.eval.reference_url, str(whole.eval.program_html)])
        assert not any(holder in text for holder in SITES.values())
    for site in SITES:
        monkeypatch.delenv(f"COLLEGIUM_HOST_{site.upper()}", raising=False)
    monkeypatch.setenv("COLLEGIUM_HOST_REDDIT", "http://127.0.0.1:9999")
    nowhere = without_site(original)
    here = [task for task in original.tasks if task.task_id not in nowhere]
    assert len(here) == 106 and {task.sites for task in here} == {("reddit",)}
    with pytest.raises(
        BadInput, match=r"web task 0: no site for it here .*COLLEGIUM_HOST_SHOPPING"
    ):
        filled(original.task(0), given_hosts())


def test_every_helper_that_the_tasks_call_is_there(original) -> None:
    called = {
        text.removeprefix("func:").partition("(")[0]
        for task in original.tasks
        for target in task.eval.program_html
        for text in (target.url, target.locator)
        if text.startswith("func:")
    }
    assert called == set(HELPERS)


def test_hosts(monkeypatch) -> None:
    monkeypatch.setenv("COLLEGIUM_HOST_SHOP", "http://127.0.0.1:1/")
    assert given_hosts() == {"shop": "http://127.0.0.1:1"}
    assert given_hosts({"shop": "https://h"})["shop"] == "https://h"
    with pytest.raises(BadInput, match="no site 'sho'"):
        given_hosts({"sho": "http://h"})
    with pytest.raises(BadInput, match="must be like http"):
        given_hosts({"shop": "127.0.0.1:80"})
    # One name is the beginning of another.
    hosts = {"shopping": "http://a", "shopping_admin": "http://b/admin"}
    both = web_task(
        start_url="__SHOPPING_ADMIN__/x |AND| __SHOPPING__/y",
        sites=["shopping"],
        eval={"reference_url": "__SHOPPING__/z"},
    )
    assert filled(both, hosts).start_url == "http://b/admin/x |AND| http://a/y"
    assert missing_hosts(both, {}) == ("shopping", "shopping_admin")


@pytest.mark.must_show("webarena", 8)
def test_wrong_records_are_told_of_and_spoil_nothing(tmp_path: Path) -> None:
    good = {
        "task_id": 1,
        "sites": ["shop"],
        "intent": "x",
        "start_url": "__SHOP__",
        "eval": {
            "eval_types": ["url_match"],
            "reference_answers": None,
            "reference_url": "y",
            "program_html": [],
        },
    }
    records = [
        good,
        good | {"task_id": 2, "eval": good["eval"] | {"eval_types": ["magic"]}},
        {key: value for key, value in good.items() if key != "start_url"} | {"task_id": 3},
        good | {"task_id": 4, "start_url": " "},
        good | {"task_id": 5, "eval": good["eval"] | {"reference_url": ""}},
        good | {"task_id": 6, "eval": good["eval"] | {"eval_types": []}},
    ]
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(records))
    loaded = load_tasks(file)
    assert [task.task_id for task in loaded.tasks] == [1]
    said = loaded.problems
    assert "web task 2: unknown eval_type 'magic'" in said[2]
    assert "web task 3" in said[3] and "start_url" in said[3]
    assert "web task 4: start_url is empty" in said[4]
    assert "web task 5: url_match needs reference_url" in said[5]
    assert "web task 6: eval_types is empty" in said[6]
    with pytest.raises(BadInput, match="magic"):
        loaded.task(2)
    with pytest.raises(BadInput, match="no task 9"):
        loaded.task(9)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        load_tasks(tmp_path / "none.json")
    for text, said in (("{", "not JSON"), ("[]", "no tasks")):
        (tmp_path / "f.json").write_text(text)
        with pytest.raises(BadInput, match=said):
            load_tasks(tmp_path / "f.json")
    record = {"task_id": 1}
    (tmp_path / "f.json").write_text(json.dumps([record, record]))
    with pytest.raises(BadInput, match="two tasks have the id 1"):
        load_tasks(tmp_path / "f.json")
    (tmp_path / "f.json").write_text("[3]")
    assert load_tasks(tmp_path / "f.json").problems
