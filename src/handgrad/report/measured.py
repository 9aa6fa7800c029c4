"""Everything that is measured of one run."""

from dataclasses import dataclass, replace
from typing import Any, Self

from numpy.typing import NDArray

from handgrad.inspection.doctor import Finding, Patient, examine
from handgrad.inspection.vitals import few_examples
from handgrad.report.answers import Answers
from handgrad.report.calibration import Calibration
from handgrad.report.opened import OpenRun
from handgrad.report.scores import ClassScores
from handgrad.report.statistics import LayerStatistics, layer_statistics
from handgrad.training.evaluation import confusion_counts, worst_mistakes


@dataclass(frozen=True, eq=False)
class Measured:
    """A run in numbers.

    Args:
        run: what was measured.
        answers: of its network for a part of the data.
        layers: statistics of every layer, on a few training examples.
        examples: how many those were.
        findings: the doctor's; None where he was not asked.
        class_names: of the classes; empty where the targets are numbers, and then the rest is None.
        counts: the confusion matrix (C, C), row the true class, column the predicted one.
        scores: class by class.
        mistakes: the rows of wrong answers, the worst first, (M,).
        calibration: None also where the outputs are no probabilities.
    """

    run: OpenRun
    answers: Answers
    layers: list[LayerStatistics]
    examples: int
    findings: list[Finding] | None
    class_names: list[str]
    counts: NDArray[Any] | None = None
    scores: ClassScores | None = None
    mistakes: NDArray[Any] | None = None
    calibration: Calibration | None = None

    @classmethod
    def of(cls, run: OpenRun, split: str = "test", *, doctor: bool = True) -> Self:
        """Measure a run.

        Args:
            run: opened.
            split: the part of its data that it is scored on.
            doctor: whether he is asked, which takes a few short trainings.

        Raises:
            ArgumentError: there is no such part of the data.
        """
        saved, answers = run.saved, Answers.of(run, split)
        names = [saved.class_name(c) for c in range(saved.classes or 0)]
        batch = few_examples(run.experiment.trainer.train)
        layers = layer_statistics(saved.model, saved.loss, batch)
        findings = _examined(run) if doctor else None
        plain = cls(run, answers, layers, len(batch.targets), findings, names)
        return plain._with_classes() if names else plain

    def _with_classes(self) -> Self:
        labels, outputs = self.answers.dataset.labels, self.answers.outputs
        counts = confusion_counts(labels, self.answers.predicted, len(self.class_names))
        return replace(
            self,
            counts=counts,
            scores=ClassScores.of(counts),
            mistakes=worst_mistakes(labels, outputs),
            calibration=Calibration.of(labels, outputs) if self.answers.are_probabilities else None,
        )


def _examined(run: OpenRun) -> list[Finding]:
    experiment, model = run.experiment, run.saved.model
    epochs = experiment.recipe.train.epochs
    return examine(Patient(experiment.trainer, experiment.test.dataset, model, run.history, epochs))
