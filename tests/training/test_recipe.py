import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.data import Augmentation, write_idx
from handgrad.errors import HandgradError, RecipeError
from handgrad.training import Experiment, Recipe, phases, recipe_names
from handgrad.training.assembly import build_schedule


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_ready_to_train(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert recipe.summary
    experiment = Experiment.prepare(recipe)
    next(experiment.trainer.run(1))
    assert experiment.model.output_shape(experiment.input_shape)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_survives_being_written_down(name: str) -> None:
    recipe = Recipe.load(name)
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_the_source_networks_are_to_the_letter() -> None:
    shapes = {
        "mlp": [(128, 784), (128,), (10, 128), (10,)],
        "points": [(2, 2), (2,)],
        "mlp-adam": [(25, 784), (25,), (25, 25), (25,), (10, 25), (10,)],
        "mlp-select": [(300, 785), (10, 300)],
        "xor": [(3, 2), (1, 3)],
        "cnn": [(32, 1, 3, 3), (32,), (64, 32, 3, 3), (64,), (128, 3136), (128,), (10, 128), (10,)],
    }
    for name, expected in shapes.items():
        model = Experiment.prepare(Recipe.load(name)).model
        assert [view.shape for view in model.parameters.views.values()] == expected, name


def test_overriding_changes_one_value_and_leaves_the_original() -> None:
    recipe = Recipe.load("mlp")
    changed = recipe.override({"train.epochs": 3, "model.hidden": (7, 5), "optimizer.momentum": 0.9})
    assert (changed.train.epochs, changed.model.hidden, changed.optimizer["momentum"]) == (3, (7, 5), 0.9)
    assert recipe.train.epochs == 30
    assert "momentum" not in recipe.optimizer


def test_another_optimizer_brings_its_own_defaults() -> None:
    recipe = Recipe.load("mlp").with_optimizer("adam")
    assert Experiment.prepare(recipe).trainer.optimizer.learning_rate == 0.001
    assert Recipe.load("mlp").with_optimizer("sgd").optimizer["learning_rate"] == 0.01


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("train.epoch", 3, "train.epoch is unknown.*did you mean epochs"),
        ("train.epochs", 2.5, "train.epochs is 2.5, expected an integer"),
        ("train.epochs", True, "expected an integer"),
        ("train.keep_best", "yes", "expected true or false"),
        ("model.hidden", 128, "model.hidden is 128, expected a list"),
        ("model.hidden", ["a"], r"model.hidden\[0\] is 'a'"),
        ("trian.epochs", 3, "'trian.epochs' is not a value"),
        ("train", 3, "train is 3, expected a table"),
        ("nothing", 3, "'nothing' is not a value"),
        ("optimizer", [], "expected a table"),
        ("augment.rotate", 5, "augment.rotate is unknown.*did you mean rotation"),
        ("augment.rotation", "far", "augment.rotation is 'far', expected a number"),
        ("augment.scale", 1.5, "augment.scale is 1.5, expected a number from 0 to 0.9"),
    ],
)
def test_a_wrong_override_is_named(place: str, value: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.load("mlp").override({place: value})


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("optimizer.name", "sgdd", "did you mean sgd"),
        ("optimizer.momentun", 0.5, "momentun is not a setting of sgd"),
        ("optimizer.momentum", 2.0, "momentum is 2.0"),
        ("loss.name", "hinge", "loss.name is 'hinge'"),
        ("schedule.name", "zigzag", "schedule.name"),
        ("model.init", "magic", "model.init is 'magic'"),
        ("model.activation", "RELU", "did you mean ReLU"),
        ("model.hidden", [0], "out_features is 0"),
        ("model.features", [{"name": "MaxPool2d", "kernel_size": 2}], "Model layer 0, MaxPool2d"),
        ("model.features", [{"name": "Flatten", "size": 2}], "size is not a setting of Flatten"),
        ("optimizer.learning_rate", "fast", "optimizer"),
    ],
)
def test_what_cannot_be_built_is_named(place: str, value: object, message: str) -> None:
    recipe = Recipe.load("mlp").override({place: value})
    with pytest.raises(RecipeError, match=message):
        Experiment.prepare(recipe)


def test_a_recipe_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('summary = "mine"\n[model]\nhidden = [5]\n[train]\nepochs = 2\n')
    recipe = Recipe.load(str(path))
    assert (recipe.name, recipe.model.hidden, recipe.train.epochs) == ("mine", (5,), 2)


@pytest.mark.parametrize("text", ["[train", "epochs = 3", "[train]\nepochs = '3'", "\x00", "[model]\nhidden = [-1.5]"])
def test_a_broken_recipe_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"broken\.toml"):
        Recipe.load(str(path))


def test_an_unknown_recipe_lists_the_known() -> None:
    with pytest.raises(RecipeError, match=r"'mpl' not found.*fast, .*did you mean mlp"):
        Recipe.load("mpl")


@given(text=st.text(max_size=60) | st.from_regex(r"\[(model|train|data)\]\n[a-z_]+ = [0-9\"\[\]a-z]{1,8}"))
@settings(deadline=None, max_examples=60)
def test_any_text_is_a_recipe_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8")
    with contextlib.suppress(RecipeError):  # anything else is a failure
        assert Recipe.load(str(path)).name


def test_residual_branches_and_norms_take_their_sizes_from_the_input() -> None:
    features = [
        {"name": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1},
        {"name": "Residual", "branch": [{"name": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1}]},
        {"name": "BatchNorm2d"},
        {"name": "Flatten"},
        {"name": "LayerNorm"},
    ]
    changes = {"model.features": features, "data.layout": "image", "model.dropout": 0.5, "model.hidden": [3]}
    model = Experiment.prepare(Recipe.load("mlp").override(changes)).model
    shapes = {name: view.shape for name, view in model.parameters.views.items()}
    assert shapes["1.branch.0.weight"] == (4, 4, 3, 3)
    assert shapes["2.running_mean"] == (4,)
    assert shapes["4.weight"] == (4 * 784,)


def test_schedules_count_in_epochs() -> None:
    warm = build_schedule({"name": "one_cycle", "warmup_epochs": 1}, steps_per_epoch=10, epochs=5)
    assert warm.steps == 10  # type: ignore[attr-defined]
    assert warm.schedule.steps == 40  # type: ignore[attr-defined]
    assert build_schedule({"name": "cosine"}, steps_per_epoch=10, epochs=5)(50) == 0.0


def test_selection_takes_the_width_with_the_best_validation_score(tiny: Path) -> None:
    recipe = Recipe.load("mlp-select").override(
        {"data.dataset": str(tiny), "select.widths": (1, 8), "select.validation": 60, "train.epochs": 3}
    )
    titles, scores = [], {}
    for phase in phases(recipe.override({"select.epochs": 10, "optimizer.learning_rate": 1e-3})):
        list(phase.experiment.trainer.run(phase.experiment.recipe.train.epochs))
        titles.append(phase.title)
        last = phase.experiment.trainer.history.epochs[-1]
        assert "test" not in last.scores
        if "validation" in last.scores:
            scores[phase.experiment.recipe.model.hidden[0]] = last.scores["validation"].accuracy
            assert len(phase.experiment.trainer.train.dataset) == 180
    best = max(scores, key=lambda width: scores[width])
    assert titles == ["width 1", "width 8", f"width {best}, all data"]
    assert len(phase.experiment.trainer.train.dataset) == 240


def test_only_the_training_images_are_distorted(tiny: Path) -> None:
    changes = {"data.dataset": str(tiny), "data.validation": 40, "train.report_test": True}
    plain = Experiment.prepare(Recipe.load("mlp").override(changes)).trainer
    distorted = Recipe.load("mlp").override(changes | {"augment.rotation": 10, "augment.elastic_alpha": 1.0})
    trainer = Experiment.prepare(distorted).trainer
    assert plain.train.augment is None
    assert trainer.train.augment == Augmentation(rotation=10.0, elastic_alpha=1.0)
    assert [loader.augment for loader in trainer.monitors.values()] == [None, None]
    for ours, theirs in zip(trainer.train, plain.train, strict=True):
        assert np.array_equal(ours.targets, theirs.targets)
        assert not np.array_equal(ours.inputs, theirs.inputs)


def test_a_full_batch_is_distorted_too(tiny: Path) -> None:
    changes = {"data.dataset": str(tiny), "train.batch_size": 0, "augment.translation": 1}
    loader = Experiment.prepare(Recipe.load("mlp").override(changes)).trainer.train
    levels = [np.sort(batch.inputs.sum(axis=1)) for batch in (*loader, *loader)]  # a batch a pass; any order
    assert len(levels) == 2
    assert levels[0].shape == (240,)
    assert not np.allclose(levels[0], levels[1])


def test_distortions_are_for_images() -> None:
    with pytest.raises(HandgradError, match=r"augment is .*without images"):
        Experiment.prepare(Recipe.load("points").override({"augment.rotation": 10}))


def test_a_single_class_is_nothing_to_learn(tmp_path: Path) -> None:
    for name, count in (("train", 6), ("t10k", 3)):
        write_idx(tmp_path / f"{name}-images-idx3-ubyte", np.zeros((count, 4, 4), np.uint8))
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte", np.zeros(count, np.uint8))
    with pytest.raises(RecipeError, match="a single class"):
        Experiment.prepare(Recipe.load("mlp").override({"data.dataset": str(tmp_path)}))
