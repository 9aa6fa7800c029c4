"""`handgrad.sklearn.NetworkClassifier` beside scikit-learn's `MLPClassifier`, at equal settings, on ten data sets.

Both are one hidden layer of 100 ReLUs, trained by Adam for at most 200 epochs in batches of 200, with the same rule for
stopping, and no penalty on the weights. Inputs are standardised by the training folds. Fits alternate, ours and theirs.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.table import Table, judged, ratios, spread

#: The largest share of scikit-learn's time that a fit may take.
FIT_BAR = 0.5

FOLDS = 5
#: Of the data sets that are drawn, and of the folds.
_SEED = 20
_BOTH = ("ours", "theirs")
_NAMES = (
    "iris",
    "wine",
    "breast cancer",
    "digits",
    "four classes",
    "moons",
    "circles",
    "blobs",
    "Gaussian quantiles",
    "Hastie 10.2",
)


def data_sets() -> Iterator[tuple[str, Any, Any]]:
    """Name, rows (N, D) and labels (N,) of each: four that come with scikit-learn, and six that it draws."""
    from sklearn import datasets

    drawn: list[Callable[[], Any]] = [
        *(
            lambda load=load: load(return_X_y=True)
            for load in (datasets.load_iris, datasets.load_wine, datasets.load_breast_cancer, datasets.load_digits)
        ),
        lambda: datasets.make_classification(1000, 20, n_informative=8, n_classes=4, random_state=_SEED),
        lambda: datasets.make_moons(600, noise=0.25, random_state=_SEED),
        lambda: datasets.make_circles(600, noise=0.1, factor=0.5, random_state=_SEED),
        lambda: datasets.make_blobs(600, centers=5, cluster_std=2.5, random_state=_SEED),
        lambda: datasets.make_gaussian_quantiles(n_samples=800, n_features=6, n_classes=3, random_state=_SEED),
        lambda: datasets.make_hastie_10_2(1500, random_state=_SEED),
    ]
    for name, draw in zip(_NAMES, drawn, strict=True):
        yield name, *draw()


def measure(threads: int, rounds: int, show: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The section of the results, growing by a data set at a time.

    Args:
        threads: that both may use.
        rounds: how often each data set is divided into folds anew.
        show: called with what is going on.
    """
    from threadpoolctl import threadpool_limits

    import handgrad

    handgrad.set_threads(threads)
    section: dict[str, Any] = {"rounds": rounds, "folds": FOLDS, "threads": threads, "sets": {}}
    for name, X, y in data_sets():
        show(f"estimators: {name}")
        with threadpool_limits(threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that 200 epochs were not enough
            fits = [fit for round in range(rounds) for fit in _fits(X, y, _SEED + round)]
        section["sets"][name] = {"rows": len(y), "columns": X.shape[1], "classes": len(np.unique(y)), "fits": fits}
        yield section


def _fits(X: Any, y: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Both classifiers on each fold."""
    from sklearn.model_selection import StratifiedKFold
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    from handgrad.sklearn import NetworkClassifier

    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(X, y):
        scaler = StandardScaler().fit(X[train])
        given = scaler.transform(X[train]), y[train], scaler.transform(X[test]), y[test]
        ours = _fit(NetworkClassifier((100,), random_state=seed), *given)
        theirs = _fit(MLPClassifier((100,), alpha=0.0, random_state=seed), *given)
        yield {"ours": ours, "theirs": theirs}


def _fit(classifier: Any, X: Any, y: Any, X_test: Any, y_test: Any) -> dict[str, Any]:
    started = time.perf_counter()
    classifier.fit(X, y)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "accuracy": float(classifier.score(X_test, y_test)), "epochs": int(classifier.n_iter_)}


def tables(section: dict[str, Any]) -> list[Table]:
    """A row for each data set."""
    rows = []
    for name, found in section["sets"].items():
        fits = found["fits"]
        ours, theirs = ([fit[who] for fit in fits] for who in _BOTH)
        size = f"{found['rows']:,}×{found['columns']}, {found['classes']} classes"
        seconds = (spread([fit["seconds"] for fit in each]) for each in (ours, theirs))
        accuracies = (f"{mean_accuracy(each):.2%}" for each in (ours, theirs))
        rows.append((name, size, *accuracies, *seconds, f"**{spread(ratios(fits))}**"))
    title = f"Estimators, {section['threads']} threads, {section['rounds']} times {section['folds']} folds"
    columns = ("data", "rows", "ours, right", "MLPClassifier, right", "ours, s a fit", "theirs", "ours / theirs")
    return [Table(title, columns, rows)]


def bars(section: dict[str, Any]) -> list[tuple[str, ...]]:
    """The mean accuracy over all data sets against theirs, and the time of the fits of each."""
    fits = [found["fits"] for found in section["sets"].values()]
    ours, theirs = (statistics.mean(mean_accuracy([fit[who] for fit in each]) for each in fits) for who in _BOTH)
    verdict = "kept" if ours >= theirs else "**missed**"
    what = "NetworkClassifier, mean accuracy on ten data sets"
    rows: list[tuple[str, ...]] = [(what, str(section["threads"]), f"{ours:.2%}", f"at least {theirs:.2%}", verdict)]
    for name, each in zip(section["sets"], fits, strict=True):
        rows.append(judged(f"fit on {name}: time / MLPClassifier", section["threads"], ratios(each), FIT_BAR))
    return rows


def mean_accuracy(fits: list[dict[str, Any]]) -> float:
    """The mean over folds of the share that is right."""
    return float(statistics.mean(fit["accuracy"] for fit in fits))
