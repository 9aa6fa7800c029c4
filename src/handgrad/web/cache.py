"""Results that are computed once, however many threads ask for them, and of which the latest few are kept."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Kept(Generic[T]):
    """A result, which may not be there yet."""

    version: Hashable
    result: "Future[T]" = field(default_factory=Future)
    weight: int = 0


class OnceCache(Generic[T]):
    """The last few results by key; a second thread that asks meanwhile waits for the first one's.

    Args:
        size: how many are kept, at least 1.
        weigh: how many bytes a result has.
        most_bytes: that all results may have together; the newest is kept whatever it has.

    >>> cache = OnceCache[int](size=1)
    >>> cache.get("a", lambda: 1), cache.get("a", lambda: 2), cache.get("b", lambda: 3), cache.get("a", lambda: 4)
    (1, 1, 3, 4)
    >>> cache.get("a", lambda: 5, version="new"), cache.get("a", lambda: 6, version="new")
    (5, 5)
    >>> cache = OnceCache[bytes](size=9, weigh=len, most_bytes=5)
    >>> [len(cache.get(key, lambda: bytes(3))) for key in "aab"], len(cache.get("a", lambda: bytes(2)))
    ([3, 3, 3], 2)
    """

    def __init__(
        self, size: int, *, weigh: Callable[[T], int] = lambda result: 0, most_bytes: float = math.inf
    ) -> None:
        self._size, self._weigh, self.most_bytes = size, weigh, most_bytes
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, _Kept[T]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], *, version: Hashable = None) -> T:
        """The result for a key, made if it is not there, or there of another version.

        What fails is not kept, and is tried again next time.
        """
        with self._lock:
            found = self._results.get(key)
            is_known = found is not None and found.version == version
            kept = found if found is not None and is_known else _Kept[T](version)
            self._results[key] = kept
            self._results.move_to_end(key)
            self._make_room()
        if not is_known:
            self._make(key, kept, make)
        return kept.result.result()

    def _make(self, key: Hashable, kept: _Kept[T], make: Callable[[], T]) -> None:
        try:
            result = make()
            with self._lock:
                kept.weight = self._weigh(result)
                self._make_room()
            kept.result.set_result(result)
        except BaseException as error:
            with self._lock:
                if self._results.get(key) is kept:
                    del self._results[key]
            kept.result.set_exception(error)

    def _make_room(self) -> None:
        """Let go of what was asked for longest ago, while there are too many results or too many bytes."""
        while len(self._results) > self._size or (len(self._results) > 1 and self.bytes > self.most_bytes):
            self._results.popitem(last=False)

    @property
    def bytes(self) -> int:
        """Those of all results together."""
        return sum(kept.weight for kept in self._results.values())
