"""A sweep: trials of a recipe's ranges, chosen by Optuna, trained by several processes, on any number of machines.

Each machine has one coordinator, which alone talks to the storage, and workers that only train. So whichever worker
dies, its trial is simply given to another; a trial whose coordinator died is tried again by those that are left. A
trial is finished once, whatever happens: the storage takes an end only from the first who brings one.
"""

import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

from handgrad.errors import HandgradError
from handgrad.extras import load
from handgrad.interop.sweep_processes import Worker, Workers
from handgrad.training.recipe import Recipe
from handgrad.training.search import ranges

optuna: Any = load("optuna", "sweep")

_FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
_RUNNING, _FAILED = optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.FAIL

#: Seconds between two signs of life of a trial, and after which one without them is taken for dead.
_ALIVE, _DEAD = 10.0, 120.0
#: Seconds between two looks at what other machines do.
_LOOK = 2.0


class SweepObserver(Protocol):
    """Who is told of a sweep."""

    def finished(self, trial: Any, count: int) -> None:
        """A trial has ended, here or elsewhere; so many have."""

    def warn(self, sentence: str) -> None:
        """Tell what the user should know."""


@contextmanager
def open_study(recipe: Recipe, storage: str, *, resume: bool) -> Iterator[Any]:
    """Within the block, the study of a recipe in a storage.

    Args:
        recipe: with ranges; its name is the study's.
        storage: as SQLAlchemy takes it: "sqlite:///sweep.db", "postgresql+psycopg://user@host/database".
        resume: whether the study is there already.

    Raises:
        HandgradError: it is there and should not be, or the other way round, or is of another recipe; or there is no
            such storage.

    >>> recipe = Recipe.load("points").override({"search": {"optimizer.learning_rate": {"low": 0.1, "high": 1.0}}})
    >>> with open_study(recipe, "sqlite://", resume=False) as study:
    ...     study.study_name
    'points'
    """
    database = _storage(storage)
    try:
        study = _study(recipe, database, storage, resume=resume)
        if not _same(study.user_attrs.get("recipe"), recipe):
            raise HandgradError(f"{storage} has a sweep of another recipe {recipe.name}; give this one another name.")
        yield study
    finally:
        database.remove_session()
        database.engine.dispose()


def _study(recipe: Recipe, database: Any, url: str, *, resume: bool) -> Any:
    """The study that is there, or a new one."""
    sampler, pruner = optuna.samplers.TPESampler(seed=recipe.train.seed), optuna.pruners.MedianPruner()
    settings = {"study_name": recipe.name, "storage": database, "sampler": sampler, "pruner": pruner}
    try:
        if resume:
            return optuna.load_study(**settings)
        study = optuna.create_study(direction="maximize", **settings)
    except optuna.exceptions.DuplicatedStudyError as error:
        raise HandgradError(f"{url} has a sweep of {recipe.name} already; go on with it by --resume.") from error
    except KeyError as error:
        raise HandgradError(f"{url} has no sweep of {recipe.name} to go on with; leave --resume out.") from error
    study.set_user_attr("recipe", recipe.to_dict())
    return study


def scored_trials(study: Any) -> list[Any]:
    """Of the finished trials, those that came to their end."""
    return list(study.get_trials(deepcopy=False, states=_FINISHED[:1]))


def finished_trials(study: Any) -> list[Any]:
    """Those that have ended, each once, by their numbers: with a score, or pruned."""
    return list(study.get_trials(deepcopy=False, states=_FINISHED))


def best_recipe(recipe: Recipe, study: Any) -> Recipe:
    """The recipe with the best values found, to be trained on all training data: nothing is set aside any more.

    Where candidates stopped by their validation scores, it trains for as many epochs as the best of them did.

    Args:
        recipe: as it was before the search.
        study: with at least one trial that has a score.

    Raises:
        HandgradError: every trial diverged.
    """
    try:
        best = study.best_trial
    except ValueError as error:
        raise HandgradError(
            "No trial of this sweep has a score; its ranges may hold only values that diverge."
        ) from error
    found = {
        place: values.value_of(best.params[place])
        for place, values in ranges(Recipe.from_dict(study.user_attrs["recipe"])).items()
    }
    alone: dict[str, Any] = {"data.validation": 0, "train.patience": 0, "train.keep_best": False}
    alone |= {"train.report_test": False, "select.widths": (), "search": {}}
    if recipe.train.patience or recipe.train.keep_best:
        alone["train.epochs"] = best.user_attrs["epochs"]
    return recipe.override(found | alone)


def report(study: Any) -> dict[str, Any]:
    """Everything that was found, as plain values.

    Args:
        study: from `open_study`.
    """
    trials = [
        {
            "number": trial.number,
            "score": trial.value if trial.state == _FINISHED[0] else None,
            "values": trial.params,
            "retry_of": trial.user_attrs.get("retry_of"),
            **{name: trial.user_attrs.get(name) for name in ("epochs", "seconds", "ended")},
        }
        for trial in finished_trials(study)
    ]
    scored = [trial for trial in trials if trial["score"] is not None]
    best = max(scored, key=lambda trial: float(trial["score"]), default=None)
    return {"name": study.study_name, "recipe": study.user_attrs["recipe"], "best": best, "trials": trials}


def _storage(url: str) -> Any:
    sqlalchemy: Any = load("sqlalchemy.exc", "sweep")
    waiting = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs=waiting)
    except (sqlalchemy.SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise HandgradError(f"The storage {url} cannot be opened: {reason}.") from error


def _same(values: Any, recipe: Recipe) -> bool:
    return values is not None and Recipe.from_dict(values) == Recipe.from_dict(recipe.to_dict())


class Sweep:
    """One machine's part in a sweep.

    Args:
        recipe: with ranges, and validation data to compare candidates by.
        study: from `open_study`.
        trials: how many are to be finished, altogether.
        jobs: processes here; several compute with one thread each.
        observer: who is told.
    """

    def __init__(self, recipe: Recipe, study: Any, trials: int, jobs: int, observer: SweepObserver) -> None:
        self.study = study
        self._recipe = recipe
        self._ranges = ranges(recipe)
        self._trials = trials
        self._jobs = jobs
        self._observer = observer
        self._told = {trial.number for trial in finished_trials(study)}
        self._lived = time.monotonic()
        self._me = {"host": socket.gethostname(), "process": os.getpid(), "id": uuid.uuid4().hex}

    def run(self) -> None:
        """Train until all trials are finished, here and elsewhere."""
        self._retry_the_dead()
        threads = None if self._jobs == 1 else 1
        with Workers(self._recipe.to_dict(), self._jobs, threads) as workers, self._giving_up(workers):
            while workers.busy or self._left() > 0:
                for worker in workers.idle:
                    if not self._begin(worker):
                        break
                for worker, message in workers.answers(_LOOK):
                    self._hear(worker, message)
                self._tell_finished()
                self._show_life(workers)

    def _left(self) -> int:
        """Trials that nobody has finished."""
        return self._trials - len(finished_trials(self.study))

    def _with(self, *states: Any) -> list[Any]:
        return list(self.study.get_trials(deepcopy=False, states=states))

    def _begin(self, worker: Worker) -> bool:
        """Give a worker something to try; whether there is anything that nobody tries yet."""
        if len(self._with(*_FINISHED, _RUNNING)) >= self._trials:
            return False
        trial = self.study.ask()
        trial.set_user_attr("coordinator", self._me)
        trial.set_user_attr("seen", time.time())
        # Another machine may have asked at the same moment: of those that ask too much, the last withdraw.
        if sum(other.number < trial.number for other in self._with(*_FINISHED, _RUNNING)) >= self._trials:
            self.study.tell(trial, state=_FAILED)
            return False
        worker.give(trial, {place: values.suggest(place, trial) for place, values in self._ranges.items()})
        return True

    def _hear(self, worker: Worker, message: Mapping[str, Any] | None) -> None:
        """Take what a worker says; None if it has died, after which a new one has its trial."""
        trial = worker.trial
        if message is None:
            self._observer.warn(f"a process was killed; trial {trial.number} begins again in another.")
            worker.restart()
        elif "epoch" in message:
            if worker.is_news(message["epoch"]):
                with self._unless_ended():
                    trial.report(message["value"], message["epoch"])
            worker.answer(go_on=not trial.should_prune())
        else:
            self._end(worker, message)

    def _end(self, worker: Worker, message: Mapping[str, Any]) -> None:
        trial, value = worker.take(), message.get("value")
        with self._unless_ended():
            for name in ("epochs", "seconds", "ended"):
                if name in message:
                    trial.set_user_attr(name, message[name])
            self.study.tell(trial, value, state=_FINISHED[0] if value is not None else _FINISHED[1])

    def _tell_finished(self) -> None:
        for trial in finished_trials(self.study):
            if trial.number not in self._told:
                self._told.add(trial.number)
                self._observer.finished(trial, len(self._told))

    def _show_life(self, workers: Workers) -> None:
        """Now and then, show that the trials here live, and take over those that do not elsewhere."""
        if time.monotonic() - self._lived < _ALIVE:
            return
        self._lived = time.monotonic()
        for worker in workers.busy:
            with self._unless_ended():
                worker.trial.set_user_attr("seen", time.time())
        self._retry_the_dead()

    @staticmethod
    def _unless_ended() -> AbstractContextManager[None]:
        """Within the block, a trial is written to, unless somebody has ended it who thought this machine dead."""
        return suppress(optuna.exceptions.UpdateFinishedTrialError, ValueError)

    def _retry_the_dead(self) -> None:
        """End trials whose coordinator is gone, and have their values tried again."""
        for trial in self._with(_RUNNING):
            if self._is_dead(trial):
                self._retry(trial)

    def _is_dead(self, trial: Any) -> bool:
        owner = trial.user_attrs.get("coordinator")
        if owner == self._me:
            return False
        if owner is not None and owner["host"] == self._me["host"] and not _is_alive(owner["process"]):
            return True
        begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        return bool(time.time() - trial.user_attrs.get("seen", begun) > _DEAD)

    def _retry(self, trial: Any) -> None:
        try:
            self.study.tell(trial.number, state=_FAILED)
        except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
            return  # another machine was faster
        if trial.params:
            self.study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})

    @contextmanager
    def _giving_up(self, workers: Workers) -> Iterator[None]:
        """Where the block is cut short, what is being tried is left for whoever goes on."""
        try:
            yield
        finally:
            for worker in workers.busy:
                self._retry(worker.take())


def _is_alive(process: int) -> bool:
    """Whether there is a process of that number on this machine, as far as can be told without disturbing it."""
    if sys.platform == "win32":  # where the same call would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
