"""Results that are computed once, however many threads ask for them, and of which the latest few are kept."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class OnceCache(Generic[T]):
    """The last few results by key; a second thread that asks meanwhile waits for the first one's.

    Args:
        size: how many are kept, at least 1.

    >>> cache = OnceCache[int](size=1)
    >>> cache.get("a", lambda: 1), cache.get("a", lambda: 2), cache.get("b", lambda: 3), cache.get("a", lambda: 4)
    (1, 1, 3, 4)
    >>> cache.get("a", lambda: 5, version="new"), cache.get("a", lambda: 6, version="new")
    (5, 5)
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, tuple[Hashable, Future[T]]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], *, version: Hashable = None) -> T:
        """The result for a key, made if it is not there, or there of another version.

        What fails is not kept, and is tried again next time.
        """
        with self._lock:
            found = self._results.get(key)
            is_known = found is not None and found[0] == version
            result = found[1] if found is not None and is_known else Future[T]()
            self._results[key] = (version, result)
            self._results.move_to_end(key)
            while len(self._results) > self._size:
                self._results.popitem(last=False)
        if not is_known:
            self._make(key, result, make)
        return result.result()

    def _make(self, key: Hashable, result: "Future[T]", make: Callable[[], T]) -> None:
        try:
            result.set_result(make())
        except BaseException as error:
            with self._lock:
                if key in self._results and self._results[key][1] is result:
                    del self._results[key]
            result.set_exception(error)
