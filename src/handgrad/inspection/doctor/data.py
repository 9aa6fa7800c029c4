"""What is wrong with the data, before any network sees it."""

from collections.abc import Iterator

import numpy as np

from handgrad.inspection.doctor.finding import Finding
from handgrad.inspection.doctor.patient import Patient

#: Inputs of a healthy network have a root mean square near 1.
_LARGEST_INPUTS, _SMALLEST_INPUTS = 10.0, 0.01
_MANY_CONSTANT = 0.5
_MOST_UNEQUAL = 10.0
_TOY = 50  # examples, all of which may serve for training and test


def not_finite(patient: Patient) -> Iterator[Finding]:
    """NaN or infinity in the training data."""
    for what, array in (("inputs", patient.train.inputs), ("targets", patient.train.labels)):
        if not np.issubdtype(array.dtype, np.floating):
            continue
        wrong = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)  # (N, …) → (N,)
        if not wrong.any():
            continue
        yield Finding(
            "Data not finite",
            f"The {what} of {wrong.sum():,} of {len(wrong):,} training examples hold NaN or infinity, the first being "
            f"example {wrong.argmax()}.",
            "One of them in a batch makes the loss NaN, and training stops.",
            "Leave these examples out, or fill in what is missing.",
        )


def labels_without_an_output(patient: Patient) -> Iterator[Finding]:
    """Labels that no output stands for."""
    if patient.train.classes is None or patient.trainer.train.one_hot:
        return
    outputs, largest = patient.output_count, int(patient.train.labels.max())
    if largest < outputs:
        return
    yield Finding(
        "Labels do not fit the outputs",
        f"The network has {outputs} outputs, for the labels 0 to {outputs - 1}, and the largest label is {largest}.",
        "The loss has no output to compare such a label with, and training stops.",
        "Count the classes from 0, or give the network as many outputs as there are classes.",
    )


def unscaled_inputs(patient: Patient) -> Iterator[Finding]:
    """Inputs whose numbers are far from 1."""
    x = patient.batch.inputs
    size = float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
    if _SMALLEST_INPUTS <= size <= _LARGEST_INPUTS or size == 0:
        return
    yield Finding(
        "Inputs not scaled",
        f"Their root mean square is {size:.3g}, they run from {x.min():.3g} to {x.max():.3g}.",
        "First weights and learning rates are made for inputs near 1; larger ones make the first steps explode, "
        "smaller ones leave nothing to learn from.",
        'Scale them: data.normalize = "standard" (mean 0, standard deviation 1) or "unit" (0 to 1).',
    )


def constant_inputs(patient: Patient) -> Iterator[Finding]:
    """Features that are the same in every example."""
    inputs = patient.examples.inputs
    rows = inputs.reshape(len(inputs), -1)  # (N, …) → (N, D)
    constant = int(np.count_nonzero((rows == rows[:1]).all(axis=0)))  # over examples
    if len(rows) < 2 or constant <= _MANY_CONSTANT * rows.shape[1]:
        return
    yield Finding(
        "Constant inputs",
        f"{constant:,} of {rows.shape[1]:,} features are the same in all of {len(rows):,} training examples.",
        "They tell no example from another, and their weights learn nothing that the bias does not.",
        "Leave these features out, or look whether the data was read as it should be.",
    )


def labels_that_do_not_occur(patient: Patient) -> Iterator[Finding]:
    """Outputs that no label ever asks for."""
    classes, outputs = patient.train.classes, patient.output_count
    if classes is None:
        return
    found = np.unique(patient.train.labels)
    if len(found) == outputs:
        return
    missing = [str(c) for c in range(outputs) if c not in found]
    yield Finding(
        "Labels do not fit the outputs",
        f"The network has {outputs} outputs, and the training labels hold {len(found)} classes; "
        f"none is {', '.join(missing[:8])}{' …' if len(missing) > 8 else ''}.",
        "An output without examples learns only to be small; often the labels were read wrongly, or begin at 1.",
        "Look at the labels, or give the network as many outputs as there are classes, counted from 0.",
    )


def unequal_classes(patient: Patient) -> Iterator[Finding]:
    """Some classes with many times the examples of others."""
    if patient.train.classes is None:
        return
    counts = patient.train.class_counts()
    present = np.flatnonzero(counts)
    most, least = int(counts.argmax()), int(present[counts[present].argmin()])
    if counts[most] <= _MOST_UNEQUAL * counts[least]:
        return
    share = counts[most] / counts.sum()
    yield Finding(
        "Unequal classes",
        f"Class {most} has {counts[most]:,} training examples ({share:.0%}), class {least} has {counts[least]:,}.",
        f"A network that always says {most} is right {share:.0%} of the time, so accuracy says little, and the rare "
        "classes are learned last.",
        "Look at recall class by class (handgrad evaluate), repeat rare examples, or weight them (sample_weight).",
    )


def test_in_training(patient: Patient) -> Iterator[Finding]:
    """Test examples that are training examples too."""
    test, train = patient.test, patient.train
    if test is None or test.inputs.shape[1:] != train.inputs.shape[1:]:
        return
    if len(train) <= _TOY and np.array_equal(test.inputs, train.inputs):
        return  # these few examples are all there is
    known = {row.tobytes() for row in np.ascontiguousarray(train.inputs)}
    shared = sum(row.tobytes() in known for row in np.ascontiguousarray(test.inputs, train.inputs.dtype))
    if not shared:
        return
    yield Finding(
        "Test data in the training data",
        f"{shared:,} of {len(test):,} test examples are also training examples, number for number.",
        "The test score then says how well the network remembers, not how well it does on what it has not seen.",
        "Remove them from the training data, or split the data again.",
    )


#: What stops a training before it begins, and any further look.
FATAL = (not_finite, labels_without_an_output)
CHECKS = (*FATAL, unscaled_inputs, constant_inputs, labels_that_do_not_occur, unequal_classes, test_in_training)
