"""Imports between siamlab's modules: downward through the layers, and never in a circle."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "siamlab").rglob("*.py"))


def test_imports_point_downward():
    """The layers of ARCHITECTURE.md hold all modules, and none imports from above."""
    rows = re.findall(r"^\| (\d) \| (.*?) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    layer = {name: int(n) for n, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(layer) == {path.stem for path in (ROOT / "siamlab").iterdir() if has_code(path)}
    for path in FILES:
        part = path.relative_to(ROOT / "siamlab").parts[0].removesuffix(".py")
        rooms = {name.split(".")[1] for name in imported(path) if name != "siamlab"}
        above = [name for name in rooms if layer.get(name, 0) > layer.get(part, 9)]
        assert not above, f"{path} imports {above}"


def test_no_modules_import_one_another_in_a_circle():
    """Neither at the top nor inside a function; imports only for type checkers do not count."""
    modules = {dotted(path): path for path in FILES}
    below = {name: found(path, modules) - {name} for name, path in modules.items()}
    assert sum(map(len, below.values())) > 1000  # arrows: it is the whole package that is seen
    TopologicalSorter(below).prepare()  # or a CycleError names the circle


def has_code(path):
    if path.is_dir():
        return any(path.glob("*.py"))
    return path.suffix == ".py" and path.stem != "__init__"


def dotted(path):
    *folders, name = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(folders if name == "__init__" else (*folders, name))


def found(path, modules):
    """The modules that a file imports: `from a import b` imports a.b, where that is a module.

    A package's `__init__`, which Python runs before its modules, counts where it is asked for.
    """
    names = imported(path, typed=False)
    return {name if name in modules else name.rpartition(".")[0] for name in names} & set(modules)


def imported(path, typed=True):
    """Dotted names of siamlab that a file imports, anywhere in it; `typed`: for types too."""
    tree = ast.parse(path.read_text())
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and not typed]
    blocks = [node for node in blocks if ast.unparse(node.test) == "TYPE_CHECKING"]
    skipped = {inner for node in blocks for part in node.body for inner in ast.walk(part)}
    names = set()
    for node in set(ast.walk(tree)) - skipped:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if f"{name}.".startswith("siamlab.")}
