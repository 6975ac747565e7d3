"""Batch sizes that fit in memory."""

import os

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from gradval.ghost import forward

# Largest batches: beyond these nothing gets faster. On CPUs small images need more of them.
MOST_ON_CPU, MOST_SMALL_ON_CPU = 64, 256
SMALL_BYTES_ON_CPU = 32 * 2**20
MOST_ON_GPU = 512
# Peak memory of a pass of each order (and of VoG, 0), measured in units of what one forward saves
# for its backward.
UNITS = {0: 1.5, 1: 3.0, 2: 7.0}
# On CPUs a constant, so that what to ask a scheduler for can be known beforehand; on small machines
# a share of their memory.
CPU_BUDGET_BYTES = 2 * 2**30
SHARE_OF_CPU_MEMORY = 1 / 8
# The rest is for other processes and the allocator's fragments.
SHARE_OF_FREE_GPU_MEMORY = 0.5


def choose_batch_size(model: nn.Module, image: Tensor, order: int) -> int:
    """Largest sensible batch for a pass of the given order.

    Args:
        model: the model.
        image: `(1, C, H, W)`, on the model's device.
        order: order of the pass; see `gradval.ghost.sample_gradients`.

    Returns:
        At least 1.
    """
    saved = saved_bytes(model, image)
    fitting = int(_budget(image.device) / (UNITS[order] * saved))
    if image.is_cuda:
        most = MOST_ON_GPU
    else:
        most = min(MOST_SMALL_ON_CPU, max(MOST_ON_CPU, SMALL_BYTES_ON_CPU // saved))
    return max(1, min(fitting, most))


def _budget(device: torch.device) -> float:
    if device.type == "cuda":
        return SHARE_OF_FREE_GPU_MEMORY * torch.cuda.mem_get_info(device)[0]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(SHARE_OF_CPU_MEMORY * memory, CPU_BUDGET_BYTES)


def saved_bytes(model: nn.Module, image: Tensor) -> int:
    """Bytes that a forward of one image saves for its backward, parameters aside."""
    sizes: dict[int, int] = {}
    parameters = {p.data_ptr() for p in model.parameters()}

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in parameters:
            sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(note, lambda tensor: tensor):
        output = forward.logits(model, image.detach().requires_grad_())
    sizes[output.data_ptr()] = output.numel() * output.element_size()
    return sum(sizes.values())
