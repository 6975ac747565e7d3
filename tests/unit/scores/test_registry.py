"""What scores declare, how a user's own are found, and that neither loads PyTorch."""

import subprocess
import sys
from pathlib import Path

import pytest

from gradval.runtime import plugins
from gradval.scores import registry

BRIGHTNESS = """
from gradval.scores.registry import Score, ScoreOptions

class Options(ScoreOptions):
    power: float = 1.0

def brightness(context, options):
    return context.images.flatten(1).mean(1) ** options.power

SCORE = Score(brightness, order=0, options=Options)
NOT_A_SCORE = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with plugins; modules and search path are as before afterwards."""
    (tmp_path / "bright_scores").mkdir()
    (tmp_path / "bright_scores/brightness.py").write_text(BRIGHTNESS)
    (tmp_path / "odd_score.py").write_text("SCORE = 3\n")
    (tmp_path / "broken_score.py").write_text("import no_such_library\n")
    monkeypatch.setenv(plugins.VARIABLE, "")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    plugins.find_plugins_in(tmp_path)
    return tmp_path


def test_declarations_are_read_without_pytorch() -> None:
    program = (
        "import sys\n"
        "from gradval.models.registry import ARCHITECTURES\n"
        "from gradval.scores.registry import SCORES, options_model\n"
        "print([len(options_model(name).model_fields) for name in SCORES], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[0, 0, 3, 0, 4, 1, 1, 1, 2, 2, 2, 3] False\n", done.stderr


def test_options_say_what_they_are_and_what_is_allowed() -> None:
    field = registry.options_model("vog").model_json_schema()["properties"]["target"]
    assert field["enum"] == ["loss", "logit"] and field["default"] == "loss"
    assert "true class's logit" in field["description"]
    assert registry.options_of("vog", {"statistic": "std"}).statistic == "std"
    with pytest.raises(ValueError, match=r"vog.target: 'x' is not allowed: must be 'loss' or 'lo"):
        registry.options_of("vog", {"target": "x"})
    with pytest.raises(ValueError, match=r"vog.aim: unknown option; vog has target, statistic, ch"):
        registry.options_of("vog", {"aim": "x"})
    with pytest.raises(ValueError, match=r"loss.aim: unknown option; loss has none"):
        registry.options_of("loss", {"aim": "x"})


def test_a_score_of_ones_own_is_found_by_its_import_path(folder: Path) -> None:
    choice = "bright_scores.brightness"
    assert registry.load_score(choice).order == 0
    assert registry.SCORES.path(choice) == f"{choice}:SCORE"
    assert registry.options_of(choice, {"power": 2}).power == 2.0
    with pytest.raises(ValueError, match=r"^brightness.power: 'x' is not allowed: Input should be"):
        registry.options_of(choice, {"power": "x"})
    assert registry.choices_by_name(["vog", choice]) == {"vog": "vog", "brightness": choice}
    with pytest.raises(ValueError, match=r"'brightness' and 'bright_scores.brightness' have the"):
        registry.choices_by_name(["brightness", choice])


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("plist", "unknown score 'plist'; did you mean 'plis'"),
        ("bright_scores.darkness", "unknown score 'bright_scores.darkness'; .*own as package.modu"),
        ("odd_score", "odd_score:SCORE is a int, but must be a Score"),
        ("broken_score", "module broken_score cannot be imported: No module named 'no_such_libr"),
        ("bright_scores.brightness:NOT_A_SCORE", "is a int, but must be a Score"),
        ("bright_scores.brightness:MISSING", "module bright_scores.brightness has no 'MISSING'"),
    ],
)
def test_what_is_no_score_is_one_line(folder: Path, choice: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        registry.load_score(choice)
    assert "\n" not in str(caught.value)


def test_a_plugin_shadows_nothing(folder: Path) -> None:
    (folder / "json.py").write_text("SCORE = None\n")
    plugins.load("bright_scores.brightness")
    assert sys.path[-1] == str(folder)
