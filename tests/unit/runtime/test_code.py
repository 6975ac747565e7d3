"""A digest changes with the code that a script runs, and with nothing else."""

import ast
import shutil
from pathlib import Path

import pytest

from gradval.runtime import code, plugins

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "workflow/scripts"
FEDERATION = {"train_federation", "value_coalitions"}
RETRAINING = {"retrain_pruned", "retrain_dose"}
ADOPTING = {"adopt_checkpoints"}
TRAINING = {"audit_training", "train_model", "train_groups", *RETRAINING, *FEDERATION, *ADOPTING}
SCORING = {"score_samples", "score_shard", "score_checkpoints", "publish_reports"}

# A package in small, with every way in which one definition can lead to another.
PACKAGE = {
    "__init__.py": """
        from importlib import import_module
        _PUBLIC = {"exported": "gradval.lazy", "other": "gradval.unused"}
        def __getattr__(name):
            return getattr(import_module(_PUBLIC[name]), name)
    """,
    "a.py": """
        import math
        from typing import TYPE_CHECKING
        from gradval import b as bee
        from gradval import exported
        from gradval.facade import shown
        if TYPE_CHECKING:
            from gradval.types import Kind
        LIMIT = 3
        def start(x: "Kind"):
            '''What it does.'''
            from gradval.inner import deep
            return bee.helper(x) + deep(x) + exported() + shown() + math.sqrt(LIMIT)
        def unrelated():
            return bee.idle()
    """,
    "b.py": """
        from gradval.c import Base, register
        def helper(x):
            return Derived().double(x)
        class Derived(Base):
            def double(self, x):
                return 2 * x
        def idle():
            return 0
        @register
        def registered():
            return 1
    """,
    "c.py": """
        FOUND = []
        class Base:
            def halve(self, x):
                return x / FACTOR
        FACTOR = 2
        def register(function):
            FOUND.append(function)
            return function
        def other():
            return FACTOR + 1
    """,
    "inner.py": """
        import gradval.effects
        from gradval import whole
        def deep(x):
            return getattr(whole, x)
        def shallow(x):
            return x
    """,
    "effects.py": """
        from gradval.c import FOUND
        def late():
            return 5
        def never():
            return 6
        FOUND.append(late)
    """,
    "whole.py": """
        def any_name():
            return TABLE
        TABLE = open("table.csv")
    """,
    "facade.py": "from gradval.lazy import hidden as shown",
    "lazy.py": """
        from gradval.registries import CHOICES
        def exported():
            return CHOICES["one"]
        def hidden():
            return 2
        def unlisted():
            return 3
    """,
    "registries.py": """
        from gradval.registry import Registry
        CHOICES = Registry({"one": "gradval.chosen:one"})
    """,
    "registry.py": "class Registry(dict): pass",
    "chosen.py": """
        def one():
            return two()
        def two():
            return 2
        def three():
            return 3
    """,
    "types.py": "class Kind: pass",
    "unused.py": "def other(): return 1",
    "table.csv": "1,2",
}
SCRIPT = "from gradval.a import start\nprint(start(1))\n"


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The package in small and a script; `digest` reads them anew."""
    folder = tmp_path / "gradval"
    folder.mkdir()
    for name, text in PACKAGE.items():
        lines = text.split("\n")
        (folder / name).write_text("\n".join(line.removeprefix(" " * 8) for line in lines))
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.setattr(code, "PACKAGE", folder)
    monkeypatch.setenv(plugins.VARIABLE, "")
    yield folder
    code.forget_sources()


def digest(small, *chosen):
    code.forget_sources()
    return code.code_digest(small.parent / "script.py", *chosen)


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("a.py", "LIMIT = 3", "LIMIT = 4"),  # a constant
        ("a.py", "math.sqrt(LIMIT)", "math.exp(LIMIT)"),
        ("a.py", "import math", "import cmath as math"),  # somebody else's function
        ("a.py", "shown\nif", "other as shown\nif"),  # another function by the same name
        ("b.py", "Derived().double(x)", "Derived().halve(x)"),  # by an attribute of a module
        ("b.py", "2 * x", "3 * x"),  # a method
        ("b.py", "return 1", "return 9"),  # registered by a decorator
        ("c.py", "x / FACTOR", "x // FACTOR"),  # of a base class
        ("c.py", "FACTOR = 2", "FACTOR = 3"),  # deep down
        ("c.py", "return function", "return None"),  # the decorator
        ("inner.py", "getattr(whole, x)", "getattr(whole, x + 'a')"),  # imported in a function
        ("effects.py", "return 5", "return 9"),  # of a module imported for its effects
        ("effects.py", "FOUND.append(late)", "FOUND.append(never)"),
        ("whole.py", "return TABLE", "return TABLE + 1"),  # of a module that escapes
        ("table.csv", "1,2", "1,3"),  # a file beside the module
        ("lazy.py", 'CHOICES["one"]', 'CHOICES["two"]'),  # exported lazily
        ("lazy.py", "return 2", "return 9"),  # through another module's import
        ("lazy.py", "from gradval", "X = print('loud')\nprint(X)\nfrom gradval"),  # a new effect
    ],
)
def test_whatever_is_reached_counts(small, file, old, new):
    before = digest(small)
    edit(small / file, old, new)
    assert digest(small) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("a.py", "return bee.idle()", "return bee.idle() + 1"),
        ("a.py", "What it does.", "In other words."),
        ("a.py", "        from gradval.inner import deep\n", ""),
        ("a.py", "import Kind", "import Kind as OtherKind"),
        ("a.py", "return bee.helper(x) + deep(x)", "return ( # sum\n    bee.helper( x )+ deep(x))"),
        ("b.py", "return 0", "return 9"),
        ("c.py", "return FACTOR + 1", "return FACTOR"),
        ("inner.py", "return x\n", "return 2 * x\n"),
        ("effects.py", "return 6", "return 9"),
        ("lazy.py", "return 3", "return 9"),
        ("registries.py", '"gradval.chosen:one"', '"gradval.chosen:one", "two": "gradval.b:idle"'),
        ("__init__.py", '"other": ', '"another": '),
        ("chosen.py", "return 2", "return 9"),
        ("types.py", "pass", "x = 1"),
        ("unused.py", "return 1", "return 9"),
    ],
)
def test_nothing_else_counts(small, file, old, new):
    before = digest(small)
    if "import deep" in old:
        edit(small / file, "LIMIT = 3", "from gradval.inner import deep\nLIMIT = 3")
        old = "    from gradval.inner import deep\n"
    edit(small / file, old, new)
    assert digest(small) == before


def test_what_is_chosen_by_name_counts_where_it_is_chosen(small):
    chosen = ("gradval.chosen:one",)
    before = digest(small, *chosen)
    edit(small / "chosen.py", "return 3", "return 9")
    assert digest(small, *chosen) == before
    edit(small / "chosen.py", "return 2", "return 9")
    assert digest(small, *chosen) != before
    with pytest.raises(ValueError, match=r"module gradval.chosen has no 'four'"):
        digest(small, "gradval.chosen:four")
    with pytest.raises(ValueError, match=r"there is no module gradval.nowhere"):
        digest(small, "gradval.nowhere:x")


def test_a_plugin_counts_with_what_it_imports(small, tmp_path):
    (tmp_path / "mine/scores").mkdir(parents=True)
    score, helper = tmp_path / "mine/scores/mean.py", tmp_path / "mine/scores/help.py"
    score.write_text("from mine.scores.help import half\nfrom gradval.chosen import three\n")
    score.write_text(score.read_text() + "SCORE = half(three)\n")
    helper.write_text("def half(x):\n    return x / 2\n")
    plugins.find_plugins_in(tmp_path / "mine", tmp_path)
    found = [digest(small, "mine.scores.mean:SCORE")]
    for path, old, new in (
        (helper, "x / 2", "x / 3"),
        (small / "chosen.py", "return 3", "return 9"),
        (score, "half(three)", "half(three())"),
    ):
        edit(path, old, new)
        found.append(digest(small, "mine.scores.mean:SCORE"))
    assert len(set(found)) == 4


def test_a_star_import_is_refused(small):
    edit(small / "facade.py", "hidden as shown", "*")
    with pytest.raises(ValueError, match=r"facade.py:1: name what is imported instead of \*"):
        digest(small)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the real package that may be edited."""
    copy = tmp_path / "gradval"
    shutil.copytree(code.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", copy)
    monkeypatch.setenv(plugins.VARIABLE, "")
    yield copy
    code.forget_sources()


def digests():
    code.forget_sources()
    return {path.stem: code.code_digest(path) for path in sorted(SCRIPTS.glob("*.py"))}


def changed_by(path, old, new):
    before = digests()
    edit(path, old, new)
    after = digests()
    return {name for name in before if before[name] != after[name]}


def test_stepping_concerns_training_alone(package):
    path = package / "training/steps.py"
    (function, *_) = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ClassDef)]
    changed = changed_by(path, f"class {function.name}", f"class {function.name}Renamed")
    assert changed <= TRAINING and "train_model" in changed


def test_ghost_norms_concern_scores_and_training(package):
    changed = changed_by(package / "ghost/linear.py", "register_layer_rule(", "print(0), (")
    assert changed == TRAINING | SCORING


def test_no_score_and_no_architecture_concerns_any_script_by_itself(package):
    before = digests()
    for name in ("scores/vog.py", "scores/plis.py", "models/resnets.py", "models/resnet9.py"):
        (package / name).write_text("X = 1\n")
    assert digests() == before


def test_the_store_concerns_everyone_who_reads_it(package):
    changed = changed_by(package / "data/store.py", "def open_store(", "def open_store(_=0, *, ")
    assert {"train_model", "score_samples", "compare_selections"} <= changed
    assert not changed & {"build_scorecard", "plan_privacy"}


def test_every_registry_that_a_script_reaches_is_one_that_its_rule_names():
    code.forget_sources()
    reached = {
        path.stem: {
            name
            for name in ("gradval.models.registry", "gradval.scores.registry")
            if any(place[0] == name for place in code.places_reached(path))
        }
        for path in SCRIPTS.glob("*.py")
    }
    models, scores = "gradval.models.registry", "gradval.scores.registry"
    assert {name: found for name, found in reached.items() if found} == {
        **{name: {models} for name in TRAINING},
        **{name: {models, scores} for name in SCORING},
        # Imports the modules of the three scores that it wants itself.
        "explain_scores": {scores},
    }
