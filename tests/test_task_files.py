"""Tasks in files: what is written reads back equal, and every kind of damage is one clear message."""

from __future__ import annotations

import csv
import pickle
import re
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from margin_projection._validation import InputError
from margin_projection.tasks import Task, catastrophic_pair, digits, load_tasks, save_tasks

finite = st.floats(allow_nan=False, allow_infinity=False)
X, y = np.array([[5.0, -1.0], [2.0, 2.0], [0.5, 3.0]]), np.array([1.0, -1.0, 1.0])


@st.composite
def task_lists(draw, max_axes=3):
    kind = draw(st.sampled_from(["classification", "regression"]))
    labels = st.sampled_from([-1.0, 1.0]) if kind == "classification" else finite
    tasks = []
    for _ in range(draw(st.integers(1, 4))):
        shape = draw(arrays.array_shapes(min_dims=2, max_dims=max_axes, max_side=4))
        samples = draw(arrays.arrays(np.float64, shape, elements=finite))
        name = draw(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8))
        tasks.append(Task(samples, draw(arrays.arrays(np.float64, shape[0], elements=labels)), kind, name))
    return tasks


@given(task_lists())
def test_npz_round_trip(tmp_path_factory, tasks):
    file = tmp_path_factory.mktemp("tasks") / "tasks.npz"
    save_tasks(file, tasks)
    assert load_tasks(file) == load_tasks(str(file), kind=tasks[0].kind) == tasks
    assert [entry.name for entry in file.parent.iterdir()] == ["tasks.npz"]


@given(task_lists(max_axes=2))
def test_csv_reads_what_the_csv_module_writes(tmp_path_factory, tasks):
    task = tasks[0]
    file = tmp_path_factory.mktemp("tasks") / "mine.csv"
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*(f"pixel {i}" for i in range(task.X.shape[1])), "y"])
        writer.writerows(
            [*(repr(float(x)) for x in row), repr(float(label))] for row, label in zip(task.X, task.y, strict=True)
        )
    (loaded,) = load_tasks(file, kind=task.kind)
    assert np.array_equal(loaded.X, task.X) and np.array_equal(loaded.y, task.y) and loaded.name == "mine"


def test_real_tasks_round_trip(tmp_path):
    for tasks in (digits(((0, 1), (2, 3)), samples=20), catastrophic_pair(kind="regression")):
        save_tasks(tmp_path / "tasks.npz", tasks)
        assert load_tasks(tmp_path / "tasks.npz") == tasks


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "tasks.npz"
    save_tasks(file, digits(samples=4))
    before = file.read_bytes()

    def fail(stream, **_):
        stream.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(InputError, match="no space left"):
        save_tasks(file, catastrophic_pair())
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def test_user_archive_with_one_task(tmp_path):
    np.savez_compressed(tmp_path / "mine.npz", X=X.astype(np.float32), y=y.astype(np.int8))
    (task,) = load_tasks(tmp_path / "mine.npz")
    assert task == Task(X, y, name="mine") and task.X.dtype == np.float64


def test_user_archive_with_a_task_column(tmp_path):
    np.savez(tmp_path / "mine.npz", X=X, y=y, task=np.array([7, 2, 7]))
    assert load_tasks(tmp_path / "mine.npz") == [
        Task(X[[1]], y[[1]], name="task 2"),
        Task(X[[0, 2]], y[[0, 2]], name="task 7"),
    ]


def test_user_archive_with_numbered_tasks(tmp_path):
    names = [f"{letter}_{index}" for index in range(12) for letter in "yX"]
    np.savez(tmp_path / "mine.npz", **{name: (X + int(name[2:]) if name[0] == "X" else y) for name in names})
    tasks = load_tasks(tmp_path / "mine.npz")
    assert tasks == [Task(X + index, y, name=f"task {index}") for index in range(12)]


def test_csv_with_a_task_column_and_awkward_but_valid_text(tmp_path):
    file = tmp_path / "mine.CSV"
    file.write_bytes('\ufefftask, y ,a,"b, c"\r\n2,+1,1e3,-0\r\n\r\n-1,-1.0, 2 ,.5\r\n2,1,3,4\r\n,,,\r\n'.encode())
    assert load_tasks(file) == [
        Task([[2.0, 0.5]], [-1], name="task -1"),
        Task([[1e3, 0.0], [3.0, 4.0]], [1, 1], name="task 2"),
    ]


BAD_CSV = {
    "no bytes": ("", "line 1 must be a header with the label column 'y'"),
    "no label": ("a,b\n1,2\n", "line 1 must be a header with the label column 'y'"),
    "no header": ("5,-1,1\n", "line 1 must be a header with the label column 'y'"),
    "semicolons": ("a;b;y\n1;2;1\n", "line 1 must be a header with the label column 'y'"),
    "no feature": ("task,y\n1,1\n", "line 1 must be a header with at least one feature"),
    "repeated column": ("a,b, a,y\n1,2,3,1\n", "line 1 must be a header without repeated columns, got 'a'"),
    "repeated label": ("a,y,y\n1,1,1\n", "line 1 must be a header without repeated columns, got 'y'"),
    "unnamed column": ("a,,y\n1,2,1\n", "line 1, column 2 must be a column name"),
    "no row": ("a,y\n\n", "at least one row below the header"),
    "short row": ("a,b,y\n1,2,1\n1,1\n", "line 3 must be a row of 3 cells, not 2"),
    "long row": ("a,b,y\n1,2,1,\n", "line 2 must be a row of 3 cells, not 4"),
    "word": ("a,b,y\n1,2,1\n1,two,1\n", "line 3, column 'b' must be a finite number, got 'two'"),
    "line after blank and quoted break": ('a,b,y\n\n1,"2\n",1\n1,x,1\n', "line 5, column 'b'"),
    "empty cell": ("a,b,y\n1,,1\n", "line 2, column 'b' must be a finite number, got ''"),
    "nan": ("a,y\nnan,1\n", "line 2, column 'a' must be a finite number, got 'nan'"),
    "infinity": ("a,y\n1e999,1\n", "line 2, column 'a' must be a finite number, got '1e999'"),
    "digit separator": ("a,y\n1_0,1\n", "line 2, column 'a' must be a finite number"),
    "hexadecimal": ("a,y\n0x10,1\n", "line 2, column 'a' must be a finite number"),
    "label": ("a,y\n1,1\n1,0\n", "line 3, column 'y' must be -1 or +1 for classification, got '0'"),
    "label word": ("a,y\n1,yes\n", "line 2, column 'y' must be a finite number, got 'yes'"),
    "task fraction": ("a,y,task\n1,1,0.5\n", "line 2, column 'task' must be a task number (an integer), got '0.5'"),
    "task empty": ("a,y,task\n1,1,\n", "line 2, column 'task' must be a task number"),
    "task too long": ("a,y,task\n1,1," + "9" * 5000 + "\n", "line 2, column 'task' must be a task number"),
    "unclosed quote": ('a,y\n"1,1\n', "readable CSV"),
}


@pytest.mark.parametrize(("text", "message"), BAD_CSV.values(), ids=BAD_CSV)
def test_bad_csv(tmp_path, text, message):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_tasks(file)
    assert "bad.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_csv_in_another_encoding(tmp_path):
    (tmp_path / "bad.csv").write_bytes("größe,y\n1,1\n".encode("latin-1"))
    with pytest.raises(InputError, match="readable CSV file in UTF-8"):
        load_tasks(tmp_path / "bad.csv")


def test_csv_labels_are_free_for_regression(tmp_path):
    (tmp_path / "mine.csv").write_text("a,y\n1,0.25\n")
    assert load_tasks(tmp_path / "mine.csv", kind="regression") == [Task([[1.0]], [0.25], "regression", "mine")]


OBJECTS = np.array([[1.0, None]], dtype=object)
BAD_NPZ = {
    "empty": ({}, "keys X and y, or X_0"),
    "no y": ({"X": X}, "an archive with the key 'y'"),
    "no X": ({"y": y}, "an archive with the key 'X'"),
    "unknown keys alone": ({"data": X}, "keys X and y, or X_0"),
    "unknown key": ({"X": X, "y": y, "weights": y}, "no keys but X, y, task, names, kind, got 'weights'"),
    "both layouts": ({"X": X, "y": y, "X_0": X, "y_0": y}, "no keys but X, y, task, names, kind, got 'X_0'"),
    "no y_1": ({"X_0": X, "y_0": y, "X_1": X}, "an archive with the key 'y_1'"),
    "no task 0": ({"X_1": X, "y_1": y}, "an archive with the key 'X_0'"),
    "a gap": ({"X_0": X, "y_0": y, "X_2": X, "y_2": y}, "an archive with the key 'X_1'"),
    "leading zero": ({"X_0": X, "y_0": y, "X_01": X}, "got 'X_01'"),
    "objects": ({"X": OBJECTS, "y": y[:1]}, "plain arrays (it is damaged, or needs pickle), got 'X'"),
    "strings": ({"X": X.astype(str), "y": y}, "bad.npz: X must be an array of real numbers, got '<U32'"),
    "complex": ({"X_0": X + 1j, "y_0": y}, "bad.npz: X_0 must be an array of real numbers, got 'complex128'"),
    "dates": ({"X": X.astype("M8[D]"), "y": y}, "bad.npz: X must be an array of real numbers"),
    "labels": (
        {"X_0": X, "y_0": y, "X_1": X, "y_1": 2 * y},
        "bad.npz: y_1 must be -1 or +1 for classification",
    ),
    "zero-one labels": ({"X": X, "y": y > 0}, "bad.npz: y must be -1 or +1 for classification, got 0.0"),
    "nan": ({"X": np.where(X == 2, np.nan, X), "y": y}, "bad.npz: X[1, 0] must be finite, got nan"),
    "infinite label": ({"X_0": X, "y_0": y * np.inf}, "bad.npz: y_0[0] must be finite"),
    "flat X": ({"X": X[0], "y": y[:2]}, "bad.npz: X must be an array of shape (n, d)"),
    "no sample": ({"X": X[:0], "y": y[:0]}, "bad.npz: X must be a nonempty array"),
    "no sample, task": ({"X": X[:0], "y": y[:0], "task": np.zeros(0, int)}, "bad.npz: X must be a nonempty array"),
    "lengths": ({"X": X, "y": y[:2]}, "bad.npz: y must be of shape (3,)"),
    "scalar y": ({"X": X, "y": np.float64(1)}, "bad.npz: y must be an array with 1 axes"),
    "task length": ({"X": X, "y": y, "task": np.array([0, 1])}, "bad.npz: task must be integers"),
    "task floats": ({"X": X, "y": y, "task": y}, "bad.npz: task must be integers"),
    "names": ({"X": X, "y": y, "names": np.array(["a", "b"])}, "bad.npz: names must be an array of 1 strings"),
    "name numbers": ({"X": X, "y": y, "names": np.array([1])}, "bad.npz: names must be an array of 1 strings"),
    "unknown kind": ({"X": X, "y": y, "kind": np.array("ranking")}, "bad.npz: kind must be one of"),
    "kind list": ({"X": X, "y": y, "kind": np.array(["regression"])}, "bad.npz: kind must be one string"),
}


@pytest.mark.parametrize(("content", "message"), BAD_NPZ.values(), ids=BAD_NPZ)
def test_bad_npz(tmp_path, content, message):
    file = tmp_path / "bad.npz"
    np.savez(file, **content)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_tasks(file)
    assert "bad.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_the_kind_in_a_file_is_not_overruled(tmp_path):
    save_tasks(tmp_path / "tasks.npz", catastrophic_pair(kind="regression"))
    with pytest.raises(InputError, match="kind must be 'regression'"):
        load_tasks(tmp_path / "tasks.npz", kind="classification")


def test_repeated_key(tmp_path):
    file = tmp_path / "bad.npz"
    np.savez(file, X=X, y=y)
    with warnings.catch_warnings(), zipfile.ZipFile(file, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("X.npy", archive.read("X.npy"))
    with pytest.raises(InputError, match="without repeated keys, got 'X'"):
        load_tasks(file)


class _Trap:
    """Unpickling this object would make a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_pickle_is_never_read(tmp_path):
    sprung = tmp_path / "sprung"
    for name, write in {
        "objects.npz": lambda file: np.savez(file, X=np.array([[_Trap(sprung)]], dtype=object), y=y),
        "pickle.npz": lambda file: file.write_bytes(pickle.dumps(_Trap(sprung))),
    }.items():
        write(tmp_path / name)
        with pytest.raises(InputError, match="needs pickle"):
            load_tasks(tmp_path / name)
    assert not sprung.exists()


def test_members_that_are_no_arrays(tmp_path):
    for name, content in {"X": b"", "X.npy": b"text", "X.npy ": b"\x93NUMPY\x01\x00"}.items():
        with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
            archive.writestr(name, content)
        with pytest.raises(InputError):
            load_tasks(tmp_path / "bad.npz")


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_archives(tmp_path, compressed):
    file = tmp_path / "tasks.npz"
    (np.savez_compressed if compressed else np.savez)(file, X_0=X, y_0=y, X_1=X, y_1=y)
    whole = file.read_bytes()
    original = load_tasks(file)
    generator = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for position in generator.integers(0, len(whole), size=generator.integers(1, 4)):
            damaged[position] ^= 1 << generator.integers(8)
        file.write_bytes(damaged[: generator.integers(1, len(whole) + 1)] if generator.random() < 0.3 else damaged)
        try:
            assert load_tasks(file) == original  # the damage hit bytes without meaning
        except InputError as error:
            assert "tasks.npz" in str(error)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: load_tasks(folder / "absent.npz"), "path must be an existing file"),
        (lambda folder: load_tasks(folder / "absent.csv"), "path must be an existing file"),
        (lambda folder: load_tasks(folder / "tasks.json"), "a file name that ends in .npz or .csv"),
        (lambda folder: load_tasks(folder), "a file name that ends in .npz or .csv"),
        (lambda folder: load_tasks(3), "path must be a file path"),
        (lambda folder: load_tasks(folder / "absent.npz", kind="ranking"), "kind must be one of"),
        (lambda folder: load_tasks(folder / "a.npz", kind=3), "kind must be one of"),
        (lambda folder: save_tasks(folder / "tasks.csv", catastrophic_pair()), "a file name that ends in .npz"),
        (lambda folder: save_tasks(folder / "absent" / "tasks.npz", catastrophic_pair()), "in a directory that exists"),
        (lambda folder: save_tasks(folder / "tasks.npz", []), "tasks must be a nonempty sequence of tasks"),
        (lambda folder: save_tasks(folder / "tasks.npz", catastrophic_pair()[0]), "tasks must be a nonempty sequence"),
        (lambda folder: save_tasks(folder / "tasks.npz", [X]), "tasks must be a nonempty sequence of tasks"),
        (
            lambda folder: save_tasks(folder / "t.npz", [Task(X, y), Task(X, y, "regression")]),
            "tasks must be a nonempty sequence of tasks of one kind",
        ),
    ],
)
def test_bad_arguments(tmp_path, call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_suffix_is_no_file(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(InputError, match="an existing file"):
        load_tasks(tmp_path / "folder.npz")
    with pytest.raises(InputError, match="a file that can be written"):
        save_tasks(tmp_path / "folder.npz", catastrophic_pair())
