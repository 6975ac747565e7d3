"""The default config and its overlays, as Snakemake merges them, and changes of single keys."""

from copy import deepcopy
from pathlib import Path

import yaml
from snakemake.utils import update_config

ROOT = Path(__file__).parents[3]
OVERLAYS = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("config/*.yaml"))


def load_config(overlay=None):
    """`config.yaml`, with an overlay merged over it."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    if overlay is not None:
        update_config(config, yaml.safe_load((ROOT / overlay).read_text()))
    return config


def changed(path, value, config=None):
    """A copy of the config in which one key, such as `grid.seeds`, has another value."""
    copy = deepcopy(config or load_config())
    *folders, key = path.split(".")
    block = copy
    for folder in folders:
        block = block.setdefault(folder, {})
    block[key] = value
    return copy
