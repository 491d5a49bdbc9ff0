"""The paper's comparison, with its controls: pure functions of arrays and models."""

from capsgan_keras.evaluation.label_spreading.error_table import (
    nearest_neighbour_error,
    semi_supervised_controls,
    semi_supervised_error,
)
from capsgan_keras.evaluation.label_spreading.labelled_sets import draw_labelled
from capsgan_keras.evaluation.label_spreading.result import (
    SemiSupervisedCell,
    SemiSupervisedResult,
)
from capsgan_keras.evaluation.label_spreading.settings import SemiSupervisedSettings
from capsgan_keras.evaluation.label_spreading.settings_choice import (
    CandidateErrors,
    SettingsChoice,
    choose_settings,
)
from capsgan_keras.evaluation.metric.cuts import calibrated_cut
from capsgan_keras.evaluation.metric.gam import GamResult, generative_adversarial_metric
from capsgan_keras.evaluation.metric.scores import Remembered
from capsgan_keras.evaluation.metric.tournament import TournamentResult, TournamentRow, tournament
from capsgan_keras.evaluation.quality.class_shares import (
    ConfidentShares,
    class_shares,
    classifier_score,
    confident_shares,
    share_entropy,
)
from capsgan_keras.evaluation.quality.classifier import (
    ClassifierSettings,
    ImageClassifier,
    build_classifier,
    train_classifier,
)
from capsgan_keras.evaluation.quality.classifier_store import (
    PoorClassifierError,
    load_or_train_classifier,
)
from capsgan_keras.evaluation.quality.feature_distances import frechet_distance, kernel_distance
from capsgan_keras.evaluation.quality.memorising import (
    Memorising,
    memorising,
    nearest_training_distances,
)
from capsgan_keras.evaluation.quality.precision_recall import ManifoldScores, manifold_scores
from capsgan_keras.evaluation.quality.sample_quality import SampleQuality, sample_quality

__all__ = [
    "CandidateErrors",
    "ClassifierSettings",
    "ConfidentShares",
    "GamResult",
    "ImageClassifier",
    "ManifoldScores",
    "Memorising",
    "PoorClassifierError",
    "Remembered",
    "SampleQuality",
    "SemiSupervisedCell",
    "SemiSupervisedResult",
    "SemiSupervisedSettings",
    "SettingsChoice",
    "TournamentResult",
    "TournamentRow",
    "build_classifier",
    "calibrated_cut",
    "choose_settings",
    "class_shares",
    "classifier_score",
    "confident_shares",
    "draw_labelled",
    "frechet_distance",
    "generative_adversarial_metric",
    "kernel_distance",
    "load_or_train_classifier",
    "manifold_scores",
    "memorising",
    "nearest_neighbour_error",
    "nearest_training_distances",
    "sample_quality",
    "semi_supervised_controls",
    "semi_supervised_error",
    "share_entropy",
    "tournament",
    "train_classifier",
]
