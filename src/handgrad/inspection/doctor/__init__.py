"""What is wrong with a network or its training, each finding measured, with the reason and the change to make."""

from handgrad.data.datasets import Dataset
from handgrad.inspection.doctor import data, history, start, training
from handgrad.inspection.doctor.finding import Finding, Findings
from handgrad.inspection.doctor.patient import Patient
from handgrad.layers import Layer
from handgrad.training.history import History
from handgrad.training.trainer import Trainer

#: Every check, in the order of a training: the data, the network before its first step, a few steps, a finished run.
CHECKS = (*data.CHECKS, *start.CHECKS, *training.CHECKS, *history.CHECKS)


def doctor(
    trainer: Trainer,
    *,
    test: Dataset | None = None,
    trained: Layer | None = None,
    history: History | None = None,
    epochs: int | None = None,
) -> Findings:
    """Examine a training that is about to begin, or one that has ended, and say what is wrong with it.

    Looks at the data, at what flows through the untrained network, and at a few short trainings of copies, in seconds.
    Nothing that is handed in is changed, and no random number is drawn from it.

    Args:
        trainer: as it would train, its model with the first weights.
        test: the test data; only compared with the training data.
        trained: the model after training, if there is one.
        history: of that training.
        epochs: for how many the schedule of the learning rate is made, if it has one.

    Returns:
        findings, the root before the consequences; empty where nothing is wrong.

    >>> train, test = handgrad.datasets.load("points")
    >>> model = handgrad.Linear(2, 2).initialize(np.random.default_rng(0))
    >>> loader = handgrad.Loader(train, None, preprocessing=handgrad.Preprocessing(scale=1e4))
    >>> trainer = handgrad.Trainer(model, handgrad.SoftmaxCrossEntropy(), handgrad.SGD(0.1), train=loader)
    >>> doctor(trainer)[0].name
    'Inputs not scaled'
    """
    return examine(Patient(trainer, test, trained, history, epochs))


def examine(patient: Patient) -> Findings:
    """What `doctor` does, with a patient that has been made already."""
    findings = Findings()
    for check in CHECKS:
        findings += check(patient)
        if findings and check in (*data.FATAL, *training.FATAL):
            break
    return findings


__all__ = ["CHECKS", "Finding", "Patient", "doctor", "examine"]
