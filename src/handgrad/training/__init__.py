"""Training: recipes, the loop, its records, and the run directories it leaves behind."""

from handgrad.training.checkpoint import Checkpoint
from handgrad.training.checkpoint_folder import CheckpointFolder
from handgrad.training.evaluation import count_correct, evaluate, predict
from handgrad.training.experiment import Experiment, Phase, build_model, phases
from handgrad.training.history import Epoch, History, Scores, Step
from handgrad.training.recipe import Recipe, recipe_names
from handgrad.training.trainer import Trainer, TrainingError

__all__ = [
    "Checkpoint",
    "CheckpointFolder",
    "Epoch",
    "Experiment",
    "History",
    "Phase",
    "Recipe",
    "Scores",
    "Step",
    "Trainer",
    "TrainingError",
    "build_model",
    "count_correct",
    "evaluate",
    "phases",
    "predict",
    "recipe_names",
]
