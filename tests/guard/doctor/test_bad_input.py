"""What cannot be read is skipped with a reason; what is scanned never runs."""

import sys
from pathlib import Path

import pytest

from collegium.errors import BadInput
from collegium.guard.doctor import scan, scan_project
from collegium.guard.doctor.judge import Judge, decide
from collegium.kernel import Kernel
from collegium.models import ScriptedModel

TRAP = """
from pathlib import Path
Path({file!r}).write_text("was run")
raise SystemExit("this must never run")
"""


@pytest.mark.must_show("agentable", 7)
def test_bad_files_are_skipped_and_the_scan_completes(desk, written, tmp_path: Path):
    root = written(desk)
    (root / "broken.py").write_text("def f(:\n")
    (root / "latin.py").write_bytes(b"name = '\xe9t\xe9'\n")
    (root / "nul.py").write_bytes(b"a = 1\0\n")
    (root / "generated.py").write_text("x = [\n" + "    1234567,\n" * 420_000 + "]\n")
    assert (root / "generated.py").stat().st_size > 5_000_000
    (root / "deep.py").write_text("x = " + "(" * 5_000 + "1" + ")" * 5_000)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "self.py").symlink_to(root / "self.py")
    report = scan(root)
    skipped = {s.file: s.reason for s in report.skipped}
    assert set(skipped) == {
        "broken.py", "latin.py", "nul.py", "generated.py", "deep.py", "loop", "self.py",
    }  # fmt: skip
    assert "syntax error in line 1" in skipped["broken.py"]
    assert "UTF-8" in skipped["latin.py"]
    assert "larger than 1 MB" in skipped["generated.py"]
    assert skipped["loop"] == skipped["self.py"] == "a symbolic link"
    assert report.findings == ()
    assert len(report.roles.tools) == 4


@pytest.mark.must_show("agentable", 7)
def test_scanned_code_is_never_imported(desk, written, tmp_path: Path):
    root = written(desk)
    proof = tmp_path / "proof"
    (root / "desk" / "trap.py").write_text(TRAP.format(file=str(proof)))
    (root / "setup.py").write_text(TRAP.format(file=str(proof)))
    before = set(sys.modules)
    scan(root)
    assert not proof.exists()
    assert not [m for m in set(sys.modules) - before if m.partition(".")[0] in ("desk", "trap")]


@pytest.mark.must_show("agentable", 7)
async def test_prose_from_the_model_is_unknown(desk):
    report = scan_project(desk)
    assert report.unknown
    kernel = Kernel(ScriptedModel(lambda _: "Well, that depends on how one looks at it."))
    judged = await decide(report, Judge(kernel))
    assert judged.findings == ()
    assert judged.unknown == report.unknown


def test_nothing_to_scan(tmp_path: Path):
    with pytest.raises(BadInput, match="no Python file"):
        scan(tmp_path)
    with pytest.raises(BadInput, match="no folder or file"):
        scan(tmp_path / "absent")
