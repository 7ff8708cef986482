"""A mapping that remembers the most recent entries in bounded memory."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers at least the `keep` entries added last, and at most twice as many.

    Two generations: when the young one is full it becomes the old one, and what was old is forgotten. That costs one
    look-up more than a dict, and nothing else.
    """

    __slots__ = ("_keep", "_old", "_young")

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return what was added under this key, or None where it is not remembered."""
        value = self._young.get(key)
        return value if value is not None else self._old.get(key)

    def add(self, key: K, value: V) -> None:
        """Remember `value`, forgetting the oldest generation where there are too many."""
        self._young[key] = value
        if len(self._young) >= self._keep:
            self._old = self._young
            self._young = {}

    def update(self, entries: Mapping[K, V]) -> None:
        """Remember all of these."""
        self._young.update(entries)
        if len(self._young) >= self._keep:
            self._old, self._young = self._young, {}

    def any_of(self, keys: Iterable[K]) -> list[K]:
        """Return those of `keys` that are remembered."""
        if self._young.keys().isdisjoint(keys) and self._old.keys().isdisjoint(keys):
            return []
        return [key for key in keys if key in self._young or key in self._old]

    def discard(self, key: K) -> None:
        """Forget this key."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
