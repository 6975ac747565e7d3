"""The plain module inside what a user hands over: without wrappers, in single or double precision.

Wrappers are told by the names of their classes, so that no library is imported for it.
"""

import copy
import logging
from weakref import WeakSet

import torch
from torch import nn
from torch.nn.parameter import is_lazy

logger = logging.getLogger("gradval")

# Class of a wrapper -> attribute that holds the module in it.
WRAPPERS = {
    "opacus.grad_sample.gsm_base.AbstractGradSampleModule": "_module",
    "torch.nn.parallel.data_parallel.DataParallel": "module",
    "torch.nn.parallel.distributed.DistributedDataParallel": "module",
    "torch.optim.swa_utils.AveragedModel": "module",
    "torch._dynamo.eval_frame.OptimizedModule": "_orig_mod",
}
# Class that cannot be scored -> why, or what to do.
SHARDED = (
    "is sharded (FSDP), so that no process holds its weights: load a full state dict into the "
    "plain module and score that"
)
REFUSED = {
    "torch.distributed.fsdp.fully_sharded_data_parallel.FullyShardedDataParallel": SHARDED,
    "torch.distributed.fsdp._fully_shard._fully_shard.FSDPModule": SHARDED,
    "torch.jit._script.ScriptModule": (
        "is TorchScript, whose layers cannot be reached: score the nn.Module that it was made from"
    ),
}

_told: "WeakSet[nn.Module]" = WeakSet()


def plain_model(model: nn.Module) -> nn.Module:
    """What is scored of a model: the module itself, the one inside a wrapper, or a copy in float32.

    Wrappers of Opacus, DataParallel, DistributedDataParallel, weight averaging and `torch.compile`
    are taken off. Models with parameters in half precision (or made in inference mode, where
    autograd does not reach) are copied, with a notice; the copy is in float32.

    Args:
        model: left as it is.

    Raises:
        ValueError: it is no module, is sharded, scripted, without values, or without parameters
            that are real floating-point numbers.
    """
    while isinstance(model, nn.Module) and (attribute := _look_up(WRAPPERS, model)):
        model = getattr(model, attribute)
    _check_kind(model)
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    coarse = {n: t.dtype for n, t in tensors.items() if t.is_floating_point() and t.itemsize < 4}
    if not coarse and not any(tensor.is_inference() for tensor in tensors.values()):
        return model
    if coarse and model not in _told:
        _told.add(model)
        name, dtype = next(iter(coarse.items()))
        logger.warning(
            "%r of %s is %s, in which gradients lose their digits: a copy in float32 is scored",
            name,
            type(model).__name__,
            dtype,
        )
    with torch.inference_mode(False):
        copied = copy.deepcopy(model)
        return copied.float() if coarse else copied


def _check_kind(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise ValueError(f"the model is a {type(model).__name__}, but must be a torch.nn.Module")
    for name, module in model.named_modules():
        if reason := _look_up(REFUSED, module):
            raise ValueError(f"{_called(name)} ({type(module).__name__}) {reason}")
        if len(getattr(module, "device_ids", None) or ()) > 1:
            raise ValueError(
                f"{_called(name)} ({type(module).__name__}) is spread over several devices: put "
                "its .module in its place"
            )
    for name, parameter in model.named_parameters():
        if is_lazy(parameter):
            raise ValueError(
                f"parameter {name!r} has no shape yet: run the model on one batch before"
            )
        if parameter.is_meta:
            raise ValueError(f"parameter {name!r} is on the meta device: load its values before")
        if parameter.is_complex():
            raise ValueError(f"parameter {name!r} is complex, but must be real")
    if not any(p.is_floating_point() for p in model.parameters()):
        raise ValueError("the model has no floating-point parameter")


def _called(name: str) -> str:
    return f"layer {name!r}" if name else "the model"


def _look_up(table: dict[str, str], module: nn.Module) -> str | None:
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(module).__mro__)
    return next((table[name] for name in names if name in table), None)
