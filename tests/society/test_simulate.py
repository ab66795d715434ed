"""The command and the runs behind it: reports, tables, bad input, a model of one's own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from collegium.cli import app
from collegium.kernel import Kernel
from collegium.models import ScriptedModel
from collegium.society.simulate import Options, resume, simulate, start

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        return CliRunner().invoke(app, ["simulate", *map(str, arguments)])

    return command


def test_a_run_leaves_a_report_and_tables(run, tmp_path):
    (tmp_path / "plan.toml").write_text(
        '[[intervention]]\nat = 5\ndo = "close"\nplace = "school"\n'
        '[[intervention]]\nat = 8\ndo = "inject"\nevent = "outbreak"\narguments = {count = 9}\n'
    )
    done = run("covid", "--agents", 1500, "--steps", 15, "--repeats", 3, "--labour",
               "--intervene", "plan.toml", "--out", "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "1,500 agents" in done.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('class="band"') == page.count('class="curve"') >= 13
    assert page.count('class="mark"') >= 2 * 13
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="http', page)
    curves = pl.read_parquet(tmp_path / "out" / "curves.parquet")
    assert curves.height == 15
    assert (curves["S"] + curves["E"] + curves["I"] + curves["R"] + curves["M"] == 1500).all()
    events = pl.read_parquet(tmp_path / "out" / "event.parquet")
    assert set(events["kind"]) == {"infected"}
    assert pl.read_parquet(tmp_path / "out" / "agent.parquet").height == 1500


def test_a_report_shows_the_network_and_a_map_where_places_are_known(run, tmp_path):
    lines = ["age,lon,lat"] + [f"{i % 6},{i % 20 / 10},{i // 20 / 10}" for i in range(400)]
    (tmp_path / "people.csv").write_text("\n".join(lines))
    done = run("covid", "--population", "people.csv", "--steps", 12, "--infected", 0.05,
               "--out", "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('class="cell"') == 400
    assert "By lon and lat" in page
    assert 100 < page.count('class="node"') + page.count('class="touched"') <= 160
    assert page.count('class="edge') > 100
    assert run("market", "--agents", 300, "--steps", 2, "--out", "plain").exit_code == 0
    plain = (tmp_path / "plain" / "report.html").read_text()
    assert "<h2>Map" not in plain and "<h2>Network" not in plain


MARGINALS = """
[values]
age = ["U19", "20t29", "30t39", "40t49", "50t64", "65A"]
area = ["north", "south"]

[[marginal]]
columns = ["age"]
counts = [4, 2, 2, 2, 2, 4]

[[marginal]]
columns = ["area", "age"]
counts = [[3, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 3]]
"""


def test_people_are_made_from_a_file_of_marginals(run, tmp_path):
    (tmp_path / "marginals.toml").write_text(MARGINALS)
    done = run("covid", "--population", "marginals.toml", "--agents", 1600, "--steps", 2,
               "--out", "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    people = pl.read_parquet(tmp_path / "out" / "agent.parquet")
    table = people.group_by("area", "age").len().sort("area", "age")["len"].to_list()
    assert table == [300, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 300]
    assert "north" in (tmp_path / "out" / "report.html").read_text()


def test_contacts_come_by_layer(run, tmp_path):
    (tmp_path / "people.csv").write_text("age\n" + "\n".join(["1"] * 50))
    edges = [f"{i},{(i + 1) % 50},school" for i in range(50)] + ["0,7,club", "3,9,club"]
    (tmp_path / "edges.csv").write_text("a,b,layer\n" + "\n".join(edges))
    (tmp_path / "plan.toml").write_text('[[intervention]]\nat = 1\ndo = "close"\nplace = "club"\n')
    done = run("covid", "--population", "people.csv", "--contacts", "edges.csv", "--steps", 3,
               "--intervene", "plan.toml", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["facts"]["contacts"] == "104 directed edges in 2 layers"


def test_a_run_without_the_interventions_is_its_own_control(run, tmp_path):
    (tmp_path / "plan.toml").write_text(
        '[[intervention]]\nat = 4\ndo = "set"\nparameter = "R"\nvalue = 1.0\n'
    )
    done = run("covid", "--agents", 900, "--steps", 20, "--infected", 0.02, "--intervene",
               "plan.toml", "--what-if", "--repeats", 4, "--out", "out", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    found = {d["curve"]: d for d in json.loads(done.stdout)["differences"]}
    assert found["cases"]["sum"]["high"] < 0
    assert found["S"]["end"]["low"] > 0  # more were never ill
    assert abs(found["S"]["end"]["mean"]) < 900
    assert all(d < 0 for d in found["cases"]["sum"]["by_seed"])
    page = (tmp_path / "out" / "report.html").read_text()
    assert "With and without the interventions" in page


def test_r_is_fitted_to_counted_cases_before_a_run(run, tmp_path):
    plain = ("covid", "--agents", 1200, "--infected", 0.02, "--repeats", 1)
    made = run(*plain, "--steps", 21, "--set", "R=3", "--json")
    (cases,) = json.loads(made.stdout)["curves"]["cases"]
    weeks = [sum(cases[7 * w : 7 * w + 7]) for w in range(3)]
    (tmp_path / "cases.csv").write_text("week,cases\n" + "\n".join(
        f"{i},{c}" for i, c in enumerate(weeks)))  # fmt: skip
    done = run(*plain, "--steps", 28, "--fit", "cases.csv", "--out", "out")
    assert done.exit_code == 0, done.output
    found = float(re.search(r"Fitted: R ([\d.]+) to 3 weeks", done.output).group(1))
    assert abs(found - 3) < 0.6


def test_a_platform_s_report_shows_its_cascades(run, tmp_path):
    done = run("social", "--agents", 1500, "--steps", 8, "--recommender", "reddit", "--set",
               "activity=8", "--repeats", 1, "--out", "out", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["curves"]["posts"][0]) == 8
    assert "structural virality" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("covdi",), "did you mean 'covid'"),
        (("covid", "--population", "none.csv"), "there is no file none.csv"),
        (("covid", "--population", "years.csv"), "lacks the column age"),
        (("covid", "--population", "old.csv"), "must hold the age group"),
        (("covid", "--population", "two.csv", "--contacts", "edges.csv"), "agent 7, who is miss"),
        (("covid", "--intervene", "plan.toml"), "unknown intervention"),
        (("covid", "--intervene", "pub.toml"), "unknown place 'pub'"),
        (("covid", "--set", "R=fast"), "must be a number"),
        (("covid", "--set", "Q=3"), "unknown parameter of covid 'Q'"),
        (("covid", "--behaviour", "brave"), "unknown behaviour"),
        (("covid", "--archetypes", "height", "--model", "script:yes.py:yes"), "not 'height'"),
        (("covid", "--steps", "0"), "at least one step"),
        (("covid", "--agents", "1"), "2 to 100,000,000 agents"),
        (("covid", "--resume"), "needs --checkpoint"),
        (("social", "--recommender", "redit"), "did you mean 'reddit'"),
        (("missing.py",), "there is no file missing.py"),
        (("empty.py",), "has no function society"),
        (("covid", "--population", "one.toml"), "cannot be met together"),
        (("covid", "--population", "none.toml"), "is not a file of marginals"),
        (("covid", "--population", "young.csv"), "not old, young"),
        (("covid", "--shards", "0"), "1 to 1024 processes"),
        (("social", "--shards", "2", "--recommender", "random"), "cannot be shared"),
        (("social", "--device", "cpu"), "--device computes covid"),
        (("covid", "--device", "tpu"), "cpu, cuda"),
        (("covid", "--what-if"), "give --intervene"),
        (("market", "--fit", "edges.csv"), "needs a column 'cases'"),
        (("covid", "--live", "--json"), "--live steers one run"),
        (("covid", "--scene", "none.toml", "--model", "script:yes.py:yes"), "not a scene"),
    ],
)
def test_bad_input_is_named(run, tmp_path, arguments, says):
    for name, text in {
        "years.csv": "years\n3\n",
        "old.csv": "age\n67\n",
        "two.csv": "age\n1\n2\n",
        "edges.csv": "a,b\n0,1\n1,7\n",
        "plan.toml": '[[intervention]]\nat = 1\ndo = "dance"\n',
        "pub.toml": '[[intervention]]\nat = 1\ndo = "close"\nplace = "pub"\n',
        "yes.py": "def yes(request):\n    return 'Yes'\n",
        "empty.py": "",
        "one.toml": MARGINALS.replace("[4, 2, 2, 2, 2, 4]", "[1, 1, 1, 1, 1, 11]"),
        "none.toml": "[values]\nage = 3\n",
        "young.csv": "age\nold\nyoung\n",
    }.items():
        (tmp_path / name).write_text(text)
    steps = () if "--steps" in arguments else ("--steps", 2)
    agents = () if "--agents" in arguments else ("--agents", 300)
    done = run(*arguments, *steps, *agents)
    assert done.exit_code == 2, done.output
    assert says in " ".join(done.output.split())


def test_archetypes_by_a_model_are_counted(run, tmp_path):
    (tmp_path / "yes.py").write_text("def yes(request):\n    return 'Yes.'\n")
    done = run("covid", "--agents", 500, "--steps", 3, "--archetypes", "age,sex", "--model",
               "script:yes.py:yes", "--set", "scale=1", "--set", "shift=0", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["facts"]["archetypes"] == (
        "age, sex: 12 prompts, 0 answers dropped, 0 groups empty"
    )
    assert made["facts"]["model"].endswith("12 calls")
    assert made["curves"]["isolating"] == [[1, 1, 1]]


def test_a_sentence_is_done_only_when_confirmed(tmp_path):
    (tmp_path / "close.py").write_text(
        "import json\n"
        "def close(request):\n"
        "    form = {'do': 'close', 'place': 'school', 'at': 2}\n"
        "    return json.dumps({'form': form})\n"
    )
    factors = {}
    for answer in ("y", "n"):
        done = subprocess.run(
            [sys.executable, "-m", "collegium.cli", "simulate", "covid", "--agents", "300",
             "--steps", "4", "--say", "close the schools from day 2", "--model",
             "script:close.py:close", "--out", answer],
            cwd=tmp_path, input=f"{answer}\n", capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert "before step 2: close place school (now: factor 1)" in done.stderr
        factors[answer] = (
            "<h2>Interventions</h2>" in (tmp_path / answer / "report.html").read_text()
        )
    assert factors == {"y": True, "n": False}


@pytest.mark.parametrize("archetypes", [(), ("age", "sex")])
@pytest.mark.parametrize("simulator", ["covid", "market", "social"])
async def test_every_simulator_can_be_resumed(simulator, archetypes, tmp_path):
    options = Options(
        simulator=simulator, agents=800, seed=4, recommender="random", archetypes=archetypes,
        model="scripted" if archetypes else "",
    )  # fmt: skip
    calls = []

    def script(request):
        calls.append(request)
        words = request.messages[-1].text.rpartition("one word: ")[2].rstrip(".").split(" or ")
        return words[len(request.messages[-1].text) % len(words)]

    def kernel():
        return Kernel(ScriptedModel(script), seed=4)

    whole = await simulate(start(options, kernel()), 9)
    await simulate(start(options, kernel()), 4, options=options, folder=tmp_path, every=2)
    society, kept = resume(tmp_path, kernel())
    assert kept == options
    await simulate(society, 9)
    assert society.digest() == whole.digest()
    assert bool(calls) == bool(archetypes)


def test_a_checkpoint_of_another_run_is_refused(run):
    first = ("covid", "--steps", 2, "--repeats", 1, "--checkpoint", "kept")
    assert run(*first, "--agents", 300).exit_code == 0
    done = run(*first, "--agents", 400, "--resume")
    assert done.exit_code == 2
    assert "made with another agents" in done.output


def test_the_model_in_the_documentation_runs(run, tmp_path):
    text = (ROOT / "docs" / "rooms" / "society.md").read_text()
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "rumour" in c]
    assert len(code.splitlines()) < 80
    (tmp_path / "rumour.py").write_text(code)
    command = ("rumour.py", "--agents", 3000, "--steps", 20, "--repeats", 1, "--json")
    done = run(*command, "--checkpoint", "kept")
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["curves"]["tell it"]
    assert told[-1] > 1000
    assert told == sorted(told)
    again = run(*command, "--checkpoint", "kept", "--resume")
    assert json.loads(again.stdout)["curves"]["tell it"] == [told]
