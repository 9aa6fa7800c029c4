"""What a finished training shows."""

from collections.abc import Iterator

from handgrad.inspection.doctor.finding import Finding
from handgrad.inspection.doctor.patient import Patient

_MUCH_WORSE = 1.3


def overfitting(patient: Patient) -> Iterator[Finding]:
    """A validation loss that has long been rising while the training loss falls."""
    epochs = [e for e in patient.history.epochs if "validation" in e.scores] if patient.history else []
    if len(epochs) < 2:
        return
    best, last = min(epochs, key=lambda epoch: epoch.scores["validation"].loss), epochs[-1]
    then, now = best.scores["validation"].loss, last.scores["validation"].loss
    if now <= _MUCH_WORSE * then or last.train_loss >= best.train_loss:
        return
    yield Finding(
        "Overfitting",
        f"The validation loss was lowest after epoch {best.number} ({then:.4f}) and is {now:.4f} after epoch "
        f"{last.number}, while the training loss fell from {best.train_loss:.4f} to {last.train_loss:.4f}.",
        "Since then the network has been learning its training examples by heart, and got surer of what it has wrong.",
        "Stop earlier (train.patience, train.keep_best), distort the images (augment), use dropout or weight decay, or "
        "find more data.",
    )


CHECKS = (overfitting,)
