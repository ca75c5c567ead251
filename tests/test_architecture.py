"""Rules of the whole tree: which package may import which, how long files are, what is never called."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "margin_projection"
# Each imports only from those before it.
LAYERS = (
    "networks", "tasks", "sets", "projections", "trajectories", "regularization", "regularity", "rates", "diagnosis",
    "curvature", "plasticity", "bridge", "reinforcement",
)  # fmt: skip
ABOVE = ("cli", "verify")  # import from every layer and may print
MOST_LINES = 400
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
FOLDERS = ("benchmarks", "figures", "margin_projection", "proofs_checks", "tests")
PICKLERS = {"pickle", "dill", "cloudpickle"}  # joblib runs things side by side; its load and dump are not called

SOURCES = {file: file.read_text(encoding="utf-8") for name in FOLDERS for file in sorted((ROOT / name).rglob("*.py"))}
TREES = {file: ast.parse(text) for file, text in SOURCES.items() if ROOT / "tests" not in file.parents}
LIBRARY = [file for file in SOURCES if PACKAGE in file.parents]
CHECKS = [file for file in SOURCES if ROOT / "proofs_checks" in file.parents]


def part_of(file: Path) -> str:
    """The subpackage of a library file; "" for the modules beside them."""
    inside = file.relative_to(PACKAGE).parts
    return inside[0] if len(inside) > 1 else ""


def imported_parts(tree: ast.AST) -> set[str]:
    """The subpackages of margin_projection that a file imports from, "" for the modules beside them."""
    inside = [name.split(".")[1:] for name in imported_names(tree) if name.split(".")[0] == PACKAGE.name]
    return {parts[0] if parts and (PACKAGE / parts[0]).is_dir() else "" for parts in inside}


def imported_names(tree: ast.AST) -> set[str]:
    """The dotted names of everything that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def allowed_parts(file: Path) -> set[str]:
    """What a library file may import from."""
    part = part_of(file)
    if part in LAYERS:
        return {"", *LAYERS[: LAYERS.index(part) + 1]}
    if part == "" and file.name != "__init__.py":
        return {""}
    return {"", *LAYERS, *((part,) if part in ABOVE else ())}


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def loads_safely(call: ast.Call) -> bool:
    """Whether a call allows no pickles; `numpy.load` must say so."""
    said = [keyword.value for keyword in call.keywords if keyword.arg == "allow_pickle"]
    refused = all(isinstance(value, ast.Constant) and value.value is False for value in said)
    return refused and (bool(said) or ast.unparse(call.func) not in ("np.load", "numpy.load"))


def test_every_folder_has_its_place():
    assert {part_of(file) for file in LIBRARY} == {"", *LAYERS, *ABOVE}


def test_each_layer_imports_only_from_those_before_it():
    wrong = {file.name: imported_parts(TREES[file]) - allowed_parts(file) for file in LIBRARY}
    assert not {name: parts for name, parts in wrong.items() if parts}


def test_the_library_does_not_print():
    named = [(file, getattr(call.func, "id", "")) for file in LIBRARY for call in calls(TREES[file])]
    assert not [file.name for file, name in named if name == "print" and part_of(file) not in ABOVE]
    assert not [file.name for file in CHECKS for call in calls(TREES[file]) if getattr(call.func, "id", "") == "print"]


def test_statements_know_nothing_of_the_attacks():
    wrong = {"attacks", "engine", "evidence", "registry", "verify"}
    statements = [file for file in CHECKS if file.parent.name == "schliserman2026"]
    used = [name.split(".")[1] for file in statements for name in imported_names(TREES[file]) if "." in name]
    assert statements and not wrong & set(used)


def test_nothing_is_pickled():
    assert not [file.name for file, tree in TREES.items() if {n.split(".")[0] for n in imported_names(tree)} & PICKLERS]
    assert not [file.name for file, tree in TREES.items() if not all(map(loads_safely, calls(tree)))]


def test_files_are_short():
    lines = {file.name: len(text.splitlines()) for file, text in SOURCES.items()}
    assert not {name: count for name, count in lines.items() if count > MOST_LINES}


def test_modules_public_functions_and_classes_say_what_they_are():
    files = [*LIBRARY, *CHECKS]
    assert not [file.name for file in files if SOURCES[file].strip() and ast.get_docstring(TREES[file]) is None]
    definitions = [node for file in files for node in TREES[file].body if isinstance(node, _DEFINITIONS)]
    assert not [each.name for each in definitions if each.name[0] != "_" and ast.get_docstring(each) is None]
