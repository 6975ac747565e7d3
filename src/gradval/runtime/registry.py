"""Registries: names of what a config can choose from, and where each is defined."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from gradval.runtime import plugins


class Registry(Mapping[str, str]):
    """Name -> import path, `package.module:name`. What is chosen is imported, and nothing else.

    In the place of a name stands an import path of a user's own. Code digests do not follow a
    registry (see `gradval.runtime.code`): a new entry concerns nobody but those who choose it.

    Args:
        kind: what is registered, for messages: "score".
        entries: name -> import path.
        attribute: what a user's module must define if the path names the module alone.
    """

    def __init__(self, kind: str, entries: Mapping[str, str], attribute: str | None = None) -> None:
        self.kind, self.attribute = kind, attribute
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> str:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def path(self, name: str) -> str:
        """The import path of a registered name, or of a user's own.

        Raises:
            ValueError: neither; one line that says what is known.
        """
        if name in self._entries:
            return self._entries[name]
        module, attribute = plugins.split_path(name)
        attribute = attribute or self.attribute
        if attribute and plugins.exists(module):
            return f"{module}:{attribute}"
        near = get_close_matches(name, self._entries, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        form = "package.module" + ("" if self.attribute else ":function")
        raise ValueError(
            f"unknown {self.kind} {name!r}; {hint}known are {', '.join(self)}, "
            f"and your own as {form}"
        )

    def load(self, name: str) -> Any:
        """What is registered under a name, or a user's own.

        Raises:
            ValueError: it is unknown or cannot be imported.
        """
        return plugins.load(self.path(name))
