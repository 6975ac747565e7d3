"""How well each class is recognised."""

import numpy as np
import torch
from torch import nn

from gradval.data.images import NormalisedImages
from gradval.training.evaluation import recalls


class Brightest(nn.Module):
    """Answers with the channel that is brightest."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


def test_recall_of_every_class_is_its_share_of_right_answers() -> None:
    shown = [0, 0, 1, 1, 2, 2, 0]
    pixels = np.zeros((7, 3, 2, 2), dtype=np.uint8)
    pixels[np.arange(7), shown] = 200
    labels = torch.tensor([0, 0, 0, 1, 2, 0, 1])
    images = NormalisedImages(pixels, (0.0,) * 3, (1.0,) * 3, torch.device("cpu"))
    model = Brightest().train()
    found = recalls(model, images, labels, batch_size=3)
    # Class 0: right, right, 1, 2; class 1: right, 0; class 2: right.
    assert found.tolist() == [0.5, 0.5, 1.0] and model.training
