"""Every pitfall of docs/pitfalls.md: the right code, the wrong code, and the check that tells one from the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import broken
import pitfall_checks as checks

from handgrad.data import Dataset, Preprocessing
from handgrad.layers import Layer, Linear, Sequential, Sigmoid, Softmax
from handgrad.losses import CrossEntropy, Loss, SoftmaxCrossEntropy
from handgrad.optimizers import SGD

WIDTH = checks.WIDTH


@dataclass(frozen=True)
class Pitfall:
    """One way to go wrong.

    Args:
        check: passes with what `right` builds, raises AssertionError with what `wrong` builds.
        right: builds what the check takes, from handgrad's own code.
        wrong: builds the same with the wrong code put in.
        caught_as: words of the AssertionError, so that it is this mistake that is caught.
        code: the wrong code, all of it in broken.py.
        right_code: names of the handgrad functions that the page shows beside it.
    """

    check: Callable[[Any], None]
    right: Callable[[], Any]
    wrong: Callable[[], Any]
    caught_as: str
    code: tuple[Any, ...]
    right_code: tuple[str, ...]


def softmax_once() -> tuple[Layer, Loss]:
    """What follows the last linear layer: nothing, and a loss that contains the softmax."""
    return Sequential(), SoftmaxCrossEntropy()


def scaled_pixels(train: Dataset) -> Preprocessing:
    """Pixels from 0 to 1, what `normalize = "unit"` means in a recipe; "standard" serves as well."""
    return Preprocessing.for_dataset(train, "unit")


REFERENCE = "handgrad.ops.reference.ReferenceOps"

#: By the anchor of their section on the page.
PITFALLS = {
    "softmax-without-the-row-maximum": Pitfall(
        checks.check_probabilities_of_huge_scores,
        right=Softmax,
        wrong=broken.SoftmaxWithoutMaximum,
        caught_as="not finite",
        code=(broken.SoftmaxWithoutMaximum,),
        right_code=(f"{REFERENCE}.softmax",),
    ),
    "cross-entropy-averaged-over-the-wrong-axis": Pitfall(
        checks.check_mean_over_the_batch,
        right=SoftmaxCrossEntropy,
        wrong=broken.CrossEntropyOverTheWrongAxis,
        caught_as="expected ln 10",
        code=(broken.CrossEntropyOverTheWrongAxis,),
        right_code=(f"{REFERENCE}.softmax_cross_entropy",),
    ),
    "log-of-zero": Pitfall(
        checks.check_impossible_probabilities,
        right=CrossEntropy,
        wrong=broken.CrossEntropyWithoutFloor,
        caught_as="not finite",
        code=(broken.CrossEntropyWithoutFloor,),
        right_code=(f"{REFERENCE}.cross_entropy", f"{REFERENCE}.log_softmax"),
    ),
    "gradient-not-divided-by-n": Pitfall(
        checks.check_gradient_of_a_loss,
        right=SoftmaxCrossEntropy,
        wrong=broken.CrossEntropyNotDivided,
        caught_as="the gradient of the loss is off",
        code=(broken.CrossEntropyNotDivided,),
        right_code=(f"{REFERENCE}.softmax_cross_entropy_dx",),
    ),
    "gradient-divided-twice": Pitfall(
        checks.check_gradients_above_a_layer,
        right=lambda: Linear(WIDTH, WIDTH),
        wrong=lambda: broken.LinearThatDivides(WIDTH, WIDTH),
        caught_as=r"off: 1\.weight by \S+ 1\.bias by \S+$",
        code=(broken.LinearThatDivides,),
        right_code=("handgrad.layers.Linear.backward", f"{REFERENCE}.linear_grads"),
    ),
    "backward-that-returns-dw": Pitfall(
        checks.check_gradients_above_a_layer,
        right=lambda: Linear(WIDTH, WIDTH),
        wrong=lambda: broken.LinearReturningDW(WIDTH, WIDTH),
        caught_as=r"off: x by \S+ 0\.weight by \S+ 0\.bias by \S+$",  # below it; its own gradients are right
        code=(broken.LinearReturningDW,),
        right_code=("handgrad.layers.Linear.backward",),
    ),
    "softmax-jacobian-left-out": Pitfall(
        checks.check_two_steps_equal_the_fused_one,
        right=lambda: (Softmax(), CrossEntropy()),
        wrong=lambda: (broken.SoftmaxWithoutJacobian(), CrossEntropy()),
        caught_as="differs from the fused one",
        code=(broken.SoftmaxWithoutJacobian,),
        right_code=("handgrad.layers.Softmax.backward", f"{REFERENCE}.softmax_dx"),
    ),
    "softmax-jacobian-applied-twice": Pitfall(
        checks.check_two_steps_equal_the_fused_one,
        right=lambda: (Softmax(), CrossEntropy()),
        wrong=lambda: (Softmax(), broken.CrossEntropyWithTheJacobian()),
        caught_as="differs from the fused one",
        code=(broken.CrossEntropyWithTheJacobian,),
        right_code=(f"{REFERENCE}.cross_entropy_dx",),
    ),
    "softmax-applied-twice": Pitfall(
        checks.check_a_certain_answer_costs_nothing,
        right=softmax_once,
        wrong=broken.softmax_twice,
        caught_as=r"costs 1\.4612",  # ln(e + 9) − 1
        code=(broken.softmax_twice,),
        right_code=("pitfall_registry.softmax_once",),
    ),
    "labels-one-hot-on-one-side": Pitfall(
        checks.check_both_kinds_of_labels,
        right=SoftmaxCrossEntropy,
        wrong=broken.CrossEntropyThatBroadcasts,
        caught_as="integer labels cost",
        code=(broken.CrossEntropyThatBroadcasts,),
        right_code=("handgrad.losses.ClassificationLoss._targets",),
    ),
    "normal-weights-on-784-inputs": Pitfall(
        checks.check_start,
        right=lambda: (Linear, scaled_pixels(checks.mnist_sample())),
        wrong=lambda: (broken.linear_from_standard_normal, scaled_pixels(checks.mnist_sample())),
        caught_as="the first loss is",
        code=(broken.linear_from_standard_normal,),
        right_code=("handgrad.initializers.HeNormal.__call__",),
    ),
    "sigmoid-derivative-at-the-wrong-place": Pitfall(
        checks.check_gradients_above_a_layer,
        right=Sigmoid,
        wrong=broken.SigmoidDerivativeAtX,
        caught_as=r"off: x by \S+ 0\.weight",
        code=(broken.SigmoidDerivativeAtX,),
        right_code=("handgrad.layers.Sigmoid.forward", "handgrad.layers.Sigmoid.backward", f"{REFERENCE}.sigmoid_dx"),
    ),
    "sign-flipped-twice": Pitfall(
        checks.check_downhill,
        right=lambda: (SoftmaxCrossEntropy(), SGD(0.1)),
        wrong=lambda: (broken.CrossEntropyFlipped(), broken.SGDThatAdds(0.1)),
        caught_as="the optimizer went up",
        code=(broken.CrossEntropyFlipped, broken.SGDThatAdds),
        right_code=(f"{REFERENCE}.softmax_cross_entropy_dx", f"{REFERENCE}.sgd"),
    ),
    "activation-overwritten-before-backward": Pitfall(
        checks.check_caches_survive,
        right=lambda: Linear,
        wrong=lambda: broken.LinearIntoSharedBuffer,
        caught_as="was overwritten",
        code=(broken.LinearIntoSharedBuffer,),
        right_code=("handgrad.layers.Linear.forward", f"{REFERENCE}.linear"),
    ),
    "test-data-used-to-choose": Pitfall(
        checks.check_choice_ignores_test_data,
        right=lambda: checks.width_by_phases,
        wrong=lambda: broken.width_by_test_score,
        caught_as="other test labels",
        code=(broken.width_by_test_score,),
        right_code=("handgrad.training.phases",),
    ),
    "unscaled-pixels": Pitfall(
        checks.check_start,
        right=lambda: (Linear, scaled_pixels(checks.mnist_sample())),
        wrong=lambda: (Linear, broken.raw_pixels()),
        caught_as="the first loss is",
        code=(broken.raw_pixels,),
        right_code=("pitfall_registry.scaled_pixels",),
    ),
}
