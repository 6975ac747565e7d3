"""State dicts as people have them: read and loaded into a module of theirs.

PyTorch's own files are read with `weights_only`, which runs no code, or safetensors. Of a training
framework's checkpoint the weights are taken, and a prefix that all their names share (`module.` of
DataParallel, `model.` or `net.` of Lightning, `_orig_mod.` of `torch.compile`) is taken off.
"""

import logging
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

logger = logging.getLogger("gradval")

# Where training frameworks put the weights within a checkpoint.
WEIGHT_KEYS = ("state_dict", "model_state_dict", "model", "net", "weights", "params", "module")
# Counters of BatchNorm, which older checkpoints lack and evaluation does not use.
NOT_NEEDED = "num_batches_tracked"
# Weights of up to this size in sum stay in memory between batches; larger ones are read again.
KEPT_BYTES = 2**30


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The named tensors of a checkpoint file, on the CPU.

    Args:
        path: a safetensors file (`.safetensors`), or what `torch.save` wrote.

    Raises:
        ValueError: the file is damaged or holds something else; one line that names it.
        OSError: it cannot be read.
    """
    path = Path(path)
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickled(path)
    tensors = _tensors(content)
    if not tensors:
        found = ", ".join(map(str, content)) if isinstance(content, Mapping) else None
        kind = f"a {type(content).__name__}" + (f" of {found[:200]}" if found else "")
        raise ValueError(f"{path}: must hold a state dict (model.state_dict()), not {kind}")
    return tensors


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from error


def _read_pickled(path: Path) -> Any:
    try:
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        named = re.search(r"(?:GLOBAL|Unsupported global:?)\s+(?:GLOBAL\s+)?([\w.]+)", str(error))
        if named is None:
            raise ValueError(f"{path}: not a readable PyTorch checkpoint") from None
        raise ValueError(
            f"{path}: holds Python objects beside tensors ({named[1]}), which are not loaded, for "
            "they can run code; save model.state_dict() alone"
        ) from None
    except (RuntimeError, EOFError, KeyError, ValueError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path}: not a readable PyTorch checkpoint ({reason})") from error


def _tensors(content: Any) -> dict[str, Tensor]:
    """The named tensors of a state dict, or of one within a framework's checkpoint."""
    if not isinstance(content, Mapping):
        return {}
    for key in WEIGHT_KEYS:
        if isinstance(content.get(key), Mapping) and (found := _tensors(content[key])):
            return found
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def fitted(weights: Mapping[str, Tensor], model: nn.Module, where: str) -> dict[str, Tensor]:
    """Weights under the names that a model has for them.

    Args:
        weights: as read.
        model: what they are for.
        where: beginning of messages, such as the file.

    Returns:
        One tensor for each name of the model's own state dict, counters of BatchNorm possibly left
        out.

    Raises:
        ValueError: a tensor is missing, of another shape or not finite, or there is one too many;
            one line that names it.
    """
    expected = model.state_dict()
    needed = [name for name in expected if not name.endswith(NOT_NEEDED)]
    prefix = _prefix(weights, needed)
    own = {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
    missing = [name for name in needed if name not in own]
    if missing:
        raise ValueError(
            f"{where}: without {missing[0]!r}{_more(missing)} of the model; it has "
            f"{', '.join(list(weights)[:3])}, ...: is --model the one that was trained?"
        )
    foreign = [name for name in own if name not in expected]
    if foreign:
        raise ValueError(f"{where}: has {foreign[0]!r}{_more(foreign)}, which the model has not")
    for name in needed:
        if own[name].shape != expected[name].shape:
            raise ValueError(
                f"{where}: {name!r} is {tuple(own[name].shape)}, but that of the model is "
                f"{tuple(expected[name].shape)}: see --num-classes, --channels and --model-args"
            )
        if own[name].is_floating_point() and not torch.isfinite(own[name]).all():
            raise ValueError(f"{where}: {name!r} is not finite: the training has diverged")
    return own


def _prefix(weights: Mapping[str, Tensor], needed: Sequence[str]) -> str:
    """What stands before all of the model's own names; nothing if there is no such prefix."""
    last = needed[-1]
    ends = [
        name.removesuffix(last) for name in weights if name == last or name.endswith(f".{last}")
    ]
    whole = [end for end in ends if all(end + name in weights for name in needed)]
    # Of a model and its average (`model.`, `ema.model.`) the model.
    return min(whole, key=len, default="")


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


class StateDicts:
    """State dicts from files, loaded one at a time into one module.

    Iterating yields that same module once a file, each time with the next one's weights; it can be
    iterated over repeatedly. All files are read once at the beginning, so that a bad one is found
    before anything is spent.

    Args:
        paths: files that `read_state_dict` reads, in the order of training.
        model: a module for them, on its device; its weights are overwritten.

    Raises:
        ValueError, OSError: as `read_state_dict` and `fitted`.
    """

    def __init__(self, paths: Sequence[str | Path], model: nn.Module) -> None:
        self.paths, self.model = [Path(path) for path in paths], model
        small = sum(path.stat().st_size for path in self.paths) <= KEPT_BYTES
        self._kept: dict[Path, dict[str, Tensor]] = {}
        for path in self.paths:
            weights = fitted(read_state_dict(path), model, str(path))
            if small:
                self._kept[path] = weights

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[nn.Module]:
        for path in self.paths:
            weights = self._kept.get(path)
            if weights is None:
                weights = fitted(read_state_dict(path), self.model, str(path))
            self.model.load_state_dict(weights, strict=False)
            yield self.model
