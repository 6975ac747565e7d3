"""Images that a function of the user's own reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradval.data.store import Store
from gradval.runtime import plugins


def own(name: str, options: Mapping[str, Any], scratch: Path) -> Store:
    """Call the function that `loader` names with the same arguments.

    Raises:
        ValueError: there is no such function, or it returns something else than a `Store` of images
            with `channels` channels.
    """
    store = plugins.load(options["loader"])(name, options, scratch)
    if not isinstance(store, Store):
        raise ValueError(
            f"loader: {options['loader']} must return a gradval.data.store.Store, but returned a "
            f"{type(store).__name__}"
        )
    channels = store.image_shape[0]
    if channels != options["channels"]:
        raise ValueError(
            f"channels is {options['channels']}, but the images of {options['loader']} have "
            f"{channels}"
        )
    return store
