"""What is set around a call, such as inference mode or autocast, does not reach into a pass."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

PRECISE = (torch.float32, torch.float64)


@contextmanager
def undisturbed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Context in which a model computes what its code says, differentiably to any order.

    Inference mode and autocast are off and the default dtype is not a half one. Attention runs in
    PyTorch's plain kernel: the fused ones and the fast path of `nn.MultiheadAttention` have no
    second derivative. So do recurrent layers, whose cuDNN kernels have none in evaluation mode.
    """
    with ExitStack() as stack:
        stack.enter_context(_gradient_mode())
        for kind in {device.type, "cpu"}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(_plain_attention())
        stack.enter_context(_precise_default())
        if device.type == "cuda" and any(isinstance(m, nn.RNNBase) for m in model.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


@contextmanager
def _gradient_mode() -> Iterator[None]:
    """Leave inference mode, which would turn gradients on, without turning them on."""
    enabled = torch.is_grad_enabled()
    with torch.inference_mode(False), torch.set_grad_enabled(enabled):
        yield


@contextmanager
def _plain_attention() -> Iterator[None]:
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextmanager
def _precise_default() -> Iterator[None]:
    default = torch.get_default_dtype()
    if default not in PRECISE:
        torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


@contextmanager
def preserved_rng(device: torch.device) -> Iterator[None]:
    """Context that leaves the random state of the CPU and of `device` as it was."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield
