"""The command `numpy-rnn learn`, its report, and grades. The student's code runs in this process, except once."""

import csv
import io
import json
from pathlib import Path

import pytest

from numpy_rnn.cli import learn, main
from numpy_rnn.learn.course import course, write_notebook
from numpy_rnn.learn.judge import judge

COURSE = course()
SEVENTH = COURSE[6]


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.setattr(
        learn, "verdicts", lambda folder, chosen, **options: (judge(folder, e, **options) for e in chosen)
    )


def usual(folder):
    text = SEVENTH.solution().replace("doutput[t] + dh_next", "doutput[t]")
    (folder / SEVENTH.filename).write_text(text)


def test_a_folder_may_have_a_name_like_an_action(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["learn", "./chekc"]) == 0
    assert main(["learn", "chekc"]) == 0
    assert "14 exercises were there" in capsys.readouterr().out


def test_writes_a_course_and_never_over_work(tmp_path, capsys):
    folder = tmp_path / "course"
    assert main(["learn", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [exercise.filename for exercise in COURSE]
    assert "14 exercises written, from ex01_linear.py on" in capsys.readouterr().out
    (folder / "ex02_bias_and_batch.py").write_text("# my work\n")
    (folder / "ex03_tanh.py").unlink()
    assert main(["learn", str(folder)]) == 0
    assert (folder / "ex02_bias_and_batch.py").read_text() == "# my work\n"
    assert (folder / "ex03_tanh.py").read_text() == COURSE[2].stub()
    assert "1 exercise written, from ex03_tanh.py on" in capsys.readouterr().out


def test_check_names_the_line_and_gives_hints(solved, capsys, in_process):
    usual(solved)
    assert main(["learn", "check", str(solved)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("[######........] 6 of 14 exercises done\nExercise 7. Back through time")
    assert "right already: output of rnn\n" in out
    assert "rnn_backward: dx, dh_0, dW_ih, dW_hh, db_ih, db_hh are wrong" in out
    assert ">   34 |         dh = doutput[t]  # (R3)" in out
    assert "the term `dh_next` is missing" in out
    assert "The gradient of the second use is missing (R3)." in out
    assert "7 --hint 1" in out
    first, second, answer = SEVENTH.hints("rnn_backward")
    assert first not in out
    main(["learn", "check", str(solved), "7", "--hint"])
    out = capsys.readouterr().out
    assert "exercises done" not in out
    assert f"hint 1: {first}" in out
    assert second not in out
    main(["learn", "check", str(solved), "7", "--hint", "3"])
    out = capsys.readouterr().out
    assert second in out
    line = "    dh = doutput[t] + dh_next  # (R3)\n"
    assert line in out
    assert "dx[t] = dz @ W_ih" in answer
    assert "dx[t] = dz @ W_ih" not in out.partition("the answer:")[2]  # (R6) is not what is wrong


HINTS = [  # exercise, what is wrong in it, the first hint, the answer
    (1, "np.outer(dy, x)", "np.outer(dy, -x)", 1, "dW = np.outer(dy, x)  # (L3)"),
    (1, "W.T @ dy", "-W.T @ dy", 0, "dx = W.T @ dy  # (L2)"),
    (2, "dy.sum(axis=0)", "dy[0]", 1, "db = dy.sum(axis=0)  # (L4)"),
]


@pytest.mark.parametrize(("number", "old", "new", "first", "answer"), HINTS)
def test_hints_are_about_what_is_wrong(number, old, new, first, answer, solved, capsys, in_process):
    exercise = COURSE[number - 1]
    (solved / exercise.filename).write_text(exercise.solution().replace(old, new))
    hints = exercise.hints("linear_backward")
    main(["learn", "check", str(solved), str(number), "--hint"])
    out = capsys.readouterr().out
    assert [hint for hint in hints[:2] if hint in out] == [hints[first]]
    assert "--hint 3\n" in out  # the other hint is about what is right
    main(["learn", "check", str(solved), str(number), "--hint", "3"])
    assert capsys.readouterr().out.endswith(f"the answer:\n\n    {answer}\n")


def test_a_function_is_named_once(solved, capsys, in_process):
    for old, new in [
        ("return dx, dW", "return dx"),
        ("np.outer(dy, x)", "None"),
        ("def linear_backward", "def back"),
    ]:
        (solved / COURSE[0].filename).write_text(COURSE[0].solution().replace(old, new))
        main(["learn", "check", str(solved), "1"])
        assert capsys.readouterr().out.split("\n\n")[2].count("linear_backward") == 1


def test_check_in_a_process_of_its_own(solved, capfd):
    assert main(["learn", "check", str(solved)]) == 0
    assert capfd.readouterr().out == "[##############] 14 of 14 exercises done\nAll exercises are done.\n"


def test_the_current_folder_is_the_default(solved, capsys, in_process, monkeypatch):
    monkeypatch.chdir(solved)
    assert main(["learn", "check", "3"]) == 0
    assert capsys.readouterr().out == "Exercise 3. tanh: an elementwise function: done\n"


def test_watch_checks_when_a_file_is_saved(solved, capsys, in_process, monkeypatch):
    (solved / "ex01_linear.py").write_text(COURSE[0].stub())
    pauses = []

    def save(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            (solved / "ex01_linear.py").write_text(COURSE[0].solution() + "# saved\n")
        assert len(pauses) < 4

    monkeypatch.setattr(learn.time, "sleep", save)
    assert main(["learn", "check", str(solved), "1", "--watch"]) == 0
    out = capsys.readouterr().out
    assert out.count("not written yet") == 1
    assert out.endswith("Exercise 1. Linear: a matrix times a vector: done\n")


def test_a_stray_file_among_the_submissions_is_left_out(solved, tmp_path, capsys, in_process):
    (tmp_path / "README").write_text("Submissions")
    assert main(["learn", "grade", str(tmp_path / "README"), str(solved)]) == 0
    out, err = capsys.readouterr()
    assert "left out, not a folder: " in err
    assert len(out.splitlines()) == 2


def test_grade_has_a_row_for_each_student(solved, tmp_path, capsys, in_process):
    usual(solved)
    lazy = tmp_path / "lazy"
    main(["learn", str(lazy)])
    capsys.readouterr()
    assert main(["learn", "grade", str(solved), str(lazy)]) == 0
    out, err = capsys.readouterr()
    assert "running the code in 2 folders" in err
    good, bad = csv.DictReader(io.StringIO(out))
    assert (good["student"], good["done"]) == (str(solved), "11")
    assert [name for name, ok in good.items() if ok == "0"] == [
        COURSE[i].name for i in (6, 7, 10)
    ]  # they use the 7th
    assert (bad["student"], bad["done"]) == (str(lazy), "0")
    main(["learn", "grade", str(solved), "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert row["done"] == 11
    assert row["exercises"]["ex07_through_time"]["problem"].endswith(" are wrong")
    assert row["exercises"]["ex14_lstm_through_time"] == {"ok": True, "problem": ""}


def test_the_notebook_has_the_same_exercises(tmp_path, capsys, in_process, monkeypatch):
    """Run the cells one after the other, with the solutions filled in; only %%writefile is not Python."""
    monkeypatch.chdir(tmp_path)
    assert main(["learn", "--notebook", "course.ipynb"]) == 0
    notebook = json.loads((tmp_path / "course.ipynb").read_text())
    sources = [cell["source"] for cell in notebook["cells"]]
    assert sources[1::2] == [f"%%writefile course/{e.filename}\n{e.stub().rstrip()}" for e in COURSE]
    assert len({cell["id"] for cell in notebook["cells"]}) == len(sources)
    write_notebook(tmp_path / "solved.ipynb", solved=True)
    capsys.readouterr()
    namespace = {}
    for source in (cell["source"] for cell in json.loads((tmp_path / "solved.ipynb").read_text())["cells"]):
        if source.startswith("%%writefile "):
            head, _, text = source.partition("\n")
            (tmp_path / head.split()[1]).write_text(text)
        else:
            exec(source, namespace)
    assert capsys.readouterr().out == "".join(f"{exercise.title}: done\n" for exercise in COURSE)


def test_readme_shows_what_is_printed(solved, capsys, in_process, monkeypatch):
    usual(solved)
    (solved / SEVENTH.filename).write_text((solved / SEVENTH.filename).read_text().replace("[t]  # (R3)", "[t]"))
    monkeypatch.chdir(solved.parent)
    main(["learn", "check"])
    out = capsys.readouterr().out
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("$ numpy-rnn learn check\n")[2].partition("```")[0].splitlines()
    assert len(shown) > 5
    assert [line for line in shown if line not in ("...", *out.splitlines())] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "nowhere"], "there is no folder nowhere: `numpy-rnn learn nowhere` writes the exercises"),
        (["check", ".", "15"], "N must be the number of an exercise, from 1 to 14, got 15"),
        (["chekc"], "chekc: did you mean check? For a folder with this name, write ./chekc"),
        (["grades", "a", "b"], "grades: did you mean grade?"),
        (["check", "a", "b", "c"], "expected one folder, got check a b c"),
        (["a", "b"], "expected one folder, got a b"),
        (["grade"], "learn grade needs the folders of the students"),
        (["grade", "nobody"], "there is no folder nobody"),
        (["--notebook", "course.txt"], "--notebook must name a new file that ends in .ipynb"),
        (["course", "--watch"], "--hint and --watch belong to `learn check`"),
        (["check", ".", "--csv"], "--csv and --json to `learn grade`"),
    ],
)
def test_wrong_usage_is_one_error(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["learn", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
