"""How ``hybrid_ranker`` learns from what cooks were shown and what they did with it. docs/training.md explains it."""

from recipes.training.examples import Examples, examples_of
from recipes.training.labels import GRADES
from recipes.training.log import ImpressionLog, labelled_since, read_log
from recipes.training.options import TrainingOptions
from recipes.training.trainer import HybridRankerTrainer, hybrid_ranker_trainer

__all__ = [
    "GRADES",
    "Examples",
    "HybridRankerTrainer",
    "ImpressionLog",
    "TrainingOptions",
    "examples_of",
    "hybrid_ranker_trainer",
    "labelled_since",
    "read_log",
]
