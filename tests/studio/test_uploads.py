"""Files of questions that pages send: what is taken, and what is said of the rest."""

import os
from pathlib import Path

import pytest

pytest.importorskip("nicegui", reason="the studio needs collegium[studio]")

from collegium.errors import BadInput
from collegium.studio.uploads import MOST_BYTES, MOST_FILES, Uploads, safe_name

GOOD = b"question,answer\nWhat is 6 * 7?,42\nWhat is 17 * 23?,391\n"


@pytest.fixture
def uploads():
    made = Uploads()
    yield made
    made.close()


def test_a_good_file_is_kept_until_the_end(uploads):
    assert uploads.keep("mine.csv", GOOD) == ("mine.csv", 2)
    path = uploads.path("mine.csv")
    assert path is not None and path.read_bytes() == GOOD
    assert uploads.names() == ["mine.csv"]
    uploads.close()
    assert not path.exists()


def test_a_newer_file_takes_the_place_of_one_of_the_same_name(uploads):
    uploads.keep("a.csv", GOOD)
    uploads.keep("a.csv", b"question,answer\nWhat is 1 + 1?,2\n")
    path = uploads.path("a.csv")
    assert path is not None and b"1 + 1" in path.read_bytes()
    assert uploads.names() == ["a.csv"]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("/tmp/x/questions.jsonl", "questions.jsonl"),
        ("C:\\Windows\\System32\\config.CSV", "config.csv"),
        ("..\\..\\secrets.csv", "secrets.csv"),
        ("....csv", "questions.csv"),
        ("a b\n<script>.csv", "a-b-script.csv"),
        ("\u202etxt.csv", "txt.csv"),
        ("x" * 500 + ".csv", "x" * 60 + ".csv"),
        ("a\0b.csv", "ab.csv"),
    ],
)
def test_a_name_is_never_a_path(uploads, name, known):
    assert safe_name(name) == known
    before = set(Path(os.sep, "tmp").glob("passwd*"))
    content = b'{"question": "A?", "answer": "1"}\n' if known.endswith(".jsonl") else GOOD
    assert uploads.keep(name, content)[0] == known
    path = uploads.path(known)
    assert path is not None
    assert path.resolve().parent == Path(uploads._folder.name).resolve()
    assert path.stem.isdecimal()
    assert set(Path(os.sep, "tmp").glob("passwd*")) == before


@pytest.mark.parametrize(
    "name", ["", "questions", "evil.py", "page.html", "..", "a.csv/", "x.csv.exe"]
)
def test_other_kinds_of_files_are_refused(uploads, name):
    if name == "a.csv/":  # the last part is the name
        assert safe_name(name) == "a.csv"
        return
    with pytest.raises(BadInput, match=r"must end in \.jsonl or \.csv"):
        uploads.keep(name, GOOD)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("q.csv", b"", "q.csv has no questions"),
        ("q.csv", b"colour,shape\nred,round\n", "q.csv, line 2: no question"),
        ("q.csv", b"question,answer\nWhat?,\n", "q.csv, line 2: no answer"),
        ("q.jsonl", b'{"question": "What?"\n', "q.jsonl, line 1"),
        ("q.jsonl", b"[1, 2]\n", "q.jsonl, line 1"),
        ("q.csv", b"\xff\xfe\x00question\x80", "q.csv"),
        ("q.jsonl", b'{"question": "A?", "answer": "1", "id": "x"}\n' * 2, "the id 'x' is taken"),
    ],
)
def test_a_broken_file_gets_one_clear_sentence(uploads, name, content, said):
    with pytest.raises(BadInput) as error:
        uploads.keep(name, content)
    sentence = str(error.value)
    assert said in sentence
    assert "\n" not in sentence
    assert uploads._folder.name not in sentence, "where files lie is nobody's business"
    assert list(Path(uploads._folder.name).iterdir()) == []


def test_a_file_that_is_too_large_is_refused(uploads):
    with pytest.raises(BadInput, match="may have 8,388,608"):
        uploads.keep("big.csv", b"x" * (MOST_BYTES + 1))


def test_only_so_many_files_are_kept(uploads):
    for n in range(MOST_FILES + 3):
        uploads.keep(f"f{n}.csv", GOOD)
    assert len(uploads.names()) == MOST_FILES
    assert uploads.path("f0.csv") is None
    assert len(list(Path(uploads._folder.name).iterdir())) == MOST_FILES
