"""Findings that are left, each with a reason."""

import pytest

from collegium.errors import BadInput, UnknownName
from collegium.guard.doctor import scan_project
from collegium.guard.doctor.mutate import edited, mutate
from collegium.guard.doctor.waivers import read_waivers


@pytest.fixture
def unprotected(desk):
    """A project with one finding: a tool that runs unprotected."""
    text = desk.sources["desk/agent.py"]
    bare = text.replace(
        "        try:\n            return self.tools[name].run(text)\n",
        "        return self.tools[name].run(text)\n",
    )
    start = bare.index('        except Exception as problem:\n            return f"The tool failed')
    end = bare.index("    def _parse")
    return edited(desk, {"desk/agent.py": bare[:start].rstrip() + "\n\n" + bare[end:]})


def with_comment(project, comment: str, above: bool):
    text = project.sources["desk/agent.py"]
    line = "        return self.tools[name].run(text)"
    new = f"        {comment}\n{line}" if above else f"{line}  {comment}"
    return edited(project, {"desk/agent.py": text.replace(line, new)})


@pytest.mark.parametrize("above", [True, False])
def test_a_comment_waives(unprotected, above: bool):
    assert [f.type for f in scan_project(unprotected).unexplained] == ["MNFT"]
    waived = scan_project(
        with_comment(unprotected, "# doctor: ignore[MNFT] tools never raise", above)
    )
    assert waived.unexplained == ()
    assert [f.waived for f in waived.findings] == ["tools never raise"]


def test_a_comment_waives_its_own_type_only(unprotected):
    other = with_comment(unprotected, "# doctor: ignore[TRE, ALS] not this", True)
    assert [f.type for f in scan_project(other).unexplained] == ["MNFT"]


@pytest.mark.parametrize(
    ("comment", "error", "says"),
    [
        ("# doctor: ignore[MNFT]", BadInput, "needs a reason"),
        ("# doctor: ignore because", BadInput, "say what is ignored"),
        ("# doctor: ignore[MNTF] typo", UnknownName, "did you mean 'MNFT'"),
    ],
)
def test_a_waiver_must_be_in_order(unprotected, comment: str, error: type, says: str):
    with pytest.raises(error, match=says):
        scan_project(with_comment(unprotected, comment, False))


def test_a_comment_in_a_text_is_none(desk):
    text = desk.sources["desk/settings.py"] + '\nHELP = "# doctor: ignore[MNFT]"\n'
    assert scan_project(edited(desk, {"desk/settings.py": text})).findings == ()


def test_the_file_of_waivers(desk, written):
    from collegium.guard.doctor import scan

    mutant = mutate(desk, "EPDD", 3)
    root = written(mutant.project)
    (finding,) = scan(root).findings
    (root / "doctor.toml").write_text(
        f'[[waive]]\ntype = "EPDD"\nsymbol = "{finding.symbol[:3]}*"\nreason = "known"\n'
    )
    assert scan(root).unexplained == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[waive]]\ntype = "TRE"\n', "reason"),
        ('[[waive]]\ntype = "TRE"\nreason = " "\n', "needs a reason"),
        ('[[waive]]\ntype = "TER"\nreason = "r"\n', "did you mean"),
        ("[[waive\n", "cannot be read"),
    ],
)
def test_a_bad_file_of_waivers(text: str, says: str):
    with pytest.raises(BadInput, match=says):
        read_waivers(text)
