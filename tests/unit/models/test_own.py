"""Models of a user's own, by name."""

from pathlib import Path

import pytest
import torch
from torch import nn

from gradval.models.own import build_own_model

FILE = """
from torch import nn
from beside import WIDTH

def build(num_classes, image_size):
    return nn.Linear(image_size, num_classes)

class Net(nn.Module):
    def __init__(self, classes, depth=1, **others):
        super().__init__()
        assert not others
        self.layer = nn.Linear(depth, classes)

ready = nn.Linear(WIDTH, 2)
number = 3
"""
FOR = {"classes": 5, "channels": 1, "image_size": 8}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "beside.py").write_text("WIDTH = 7\n")
    return tmp_path / "mine.py"


def test_functions_classes_and_modules_of_a_file(file: Path) -> None:
    assert build_own_model(f"{file}:build", **FOR).weight.shape == (5, 8)
    model = build_own_model(f"{file}:Net", **FOR, arguments={"depth": 4})
    assert model.layer.weight.shape == (5, 4)
    assert build_own_model(f"{file}:ready", **FOR).weight.shape == (2, 7)


def test_a_torchvision_model_gets_the_channels_of_the_images() -> None:
    model = build_own_model("torchvision:squeezenet1_1", **FOR | {"image_size": 32})
    assert model.eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 5)


def test_an_architecture_of_the_package() -> None:
    model = build_own_model("resnet9", **FOR, arguments={"width": 8, "groups": 4})
    assert isinstance(model, nn.Module)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{}:number", "is a int, but must be a function"),
        ("{}:absent", "has no 'absent'"),
        ("{}", "must be of the form"),
        ("no/such/file.py:build", "there is no file"),
        ("torchvision:resnet", "no such classifier"),
        ("math:sqrt", "TypeError"),
    ],
)
def test_what_makes_no_model_is_refused_in_one_line(name: str, said: str, file: Path) -> None:
    with pytest.raises(ValueError, match=said) as error:
        build_own_model(name.format(file), **FOR)
    assert "\n" not in str(error.value)
