"""Wrong arguments are refused by a message that names the argument, in every public room."""

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

from capsgan_keras import CapsuleGAN, ConvolutionalGAN, layers, losses, models, plotting, routing
from capsgan_keras import evaluation as ev
from capsgan_keras.datasets import Dataset, load_dataset, to_uint8
from capsgan_keras.runs import RunDirectory, load_run, sample_images

RNG = np.random.default_rng(0)
U8 = RNG.integers(0, 256, (24, 16, 16, 1), dtype=np.uint8)
CLASSES = np.arange(24) % 2
POOL = (U8, CLASSES)
FEATURES = RNG.normal(size=(12, 3))
VECTORS = FEATURES.astype("float32")
VOTES = np.zeros((2, 2, 3, 4), "float32")
PROBABILITIES = np.full((4, 2), 0.5)
HISTORY = {name: [0.5, 0.6] for name in ("d_loss", "g_loss", "d_real", "d_fake", "d_accuracy")}
OBJECTS = np.array([object()] * 3)
NO_ARRAYS = [None, "bad", 7, [], [[1], [1, 2]], OBJECTS, np.zeros((2, 2, 2, 2, 2))]
NO_NUMBERS = [None, "bad", [], {}, OBJECTS, float("nan")]
NO_COUNTS = [0, -1, 1.5, True, *NO_NUMBERS]
NO_SEEDS = [-1, 1.5, True, "bad", []]
NO_BOOLS = ["no", "yes", 0, 1, None, np.zeros(2)]
NO_SHARES = [1.5, -0.1, *NO_NUMBERS]
NO_PATHS = [None, 7, 1.5, [], ""]
IDENTIFIERS = [7, "bad", [1, 2], {}, True]
NO_SHAPES = [None, "bad", 7, (16, 16), (16, 16, 0), OBJECTS]


def a_dataset(**arrays):
    given = {"x_train": U8, "y_train": CLASSES, "x_test": U8, "y_test": CLASSES}
    return Dataset("own", **given | arrays)


def quality(classifier=lambda images, batch_size: (PROBABILITIES, FEATURES), **options):
    return ev.sample_quality(U8, U8, U8, classifier, **options)


def spread(**options):
    given = {"unlabelled": U8, "pool": POOL, "test": POOL, "n_labelled": (4,)}
    return ev.semi_supervised_error(**given | options)


def choose(**options):
    given = {"unlabelled": U8, "pool": POOL, "n_labelled": 4, "n_neighbors": (3,), "alpha": (0.2,)}
    return ev.choose_settings(**given | options)


def primary(features=(2, 8, 8, 1), **options):
    given = {"dim_capsule": 2, "n_channels": 1, "kernel_size": 3}
    return layers.PrimaryCap(**given | options)(np.zeros(features, "float32"))


def capsules(**options):
    return layers.CapsuleLayer(**{"num_capsule": 2, "dim_capsule": 2} | options)


def settings(**options):
    return ev.ClassifierSettings(**{"width": 2, "epochs": 1} | options)


def table(**options):
    return ev.SemiSupervisedSettings(**{"n_labelled": (4,)} | options)


def grid(**options):
    return plotting.image_grid(**{"images": U8, "rows": 2, "columns": 2} | options)


def figure(**options):
    return plotting.image_figure(**{"images": U8, "rows": 2, "columns": 2} | options)


def capsule_discriminator(**options):
    return models.build_capsule_discriminator((16, 16, 1), 4, 3, n_channels=2, **options)


CASES = [
    (routing.squash, {"vectors": [None, "bad", [], 7.0, OBJECTS, VECTORS > 0]}),
    (lambda axis: routing.squash(VECTORS, axis), {"axis": [2, -3, 0.5, None, True, "bad"]}),
    (lambda axis: routing.vector_length(VECTORS, axis), {"axis": [2, -3, 0.5, None]}),
    (routing.dynamic_routing, {"predictions": [None, "bad", [], VECTORS, OBJECTS]}),
    (
        lambda **options: routing.dynamic_routing(VOTES, **options),
        {
            "routings": NO_COUNTS,
            "leaky": NO_BOOLS,
            "stop_gradients": NO_BOOLS,
            "bias": ["bad", [], [1.0, 2.0, 3.0], np.zeros((4, 2), "float32")],
        },
    ),
    (
        capsules,
        {
            "num_capsule": NO_COUNTS,
            "use_bias": NO_BOOLS,
            "stop_gradients": NO_BOOLS,
            "routing": ["bad", None, [], OBJECTS],
            "kernel_initializer": IDENTIFIERS,
            "bias_regularizer": IDENTIFIERS,
            "kernel_constraint": IDENTIFIERS,
        },
    ),
    (
        primary,
        {
            "n_channels": NO_COUNTS,
            "kernel_size": [*NO_COUNTS, (1, 2, 3), 9, (3, 9)],
            "strides": [0, (1, 2, 3), "bad", None],
            "padding": ["bad", None, OBJECTS],
            "use_bias": NO_BOOLS,
            "kernel_initializer": IDENTIFIERS,
            "bias_constraint": IDENTIFIERS,
        },
    ),
    (
        losses.MarginLoss,
        {"m_plus": [1.5, -0.1, *NO_NUMBERS], "m_minus": NO_SHARES, "down_weighting": NO_NUMBERS},
    ),
    (
        capsule_discriminator,
        {"batch_norm": ["no", 1], "initializer": ["bad", OBJECTS], "dropout": NO_SHARES},
    ),
    (
        lambda **options: models.build_convolutional_discriminator((16, 16, 1), **options),
        {"batch_norm": NO_BOOLS, "initializer": ["bad", OBJECTS], "activation": ["tanh", None]},
    ),
    (
        lambda **options: models.build_generator((16, 16, 1), **{"latent_dim": 4} | options),
        {
            "latent_dim": NO_COUNTS,
            "batch_norm": NO_BOOLS,
            "batch_statistics": NO_BOOLS,
            "upsampling": ["bad", OBJECTS],
        },
    ),
    (CapsuleGAN, {"image_shape": NO_SHAPES, "generator_options": ["bad", 7, OBJECTS]}),
    (ConvolutionalGAN, {"seed": NO_SEEDS, "discriminator_options": ["bad", 7, [1]]}),
    (ev.class_shares, {"probabilities": [*NO_ARRAYS, [[0.5, 0.6]], [[np.nan, 1.0]]]}),
    (ev.classifier_score, {"probabilities": [*NO_ARRAYS, [[0.5, 0.6]], [[-0.5, 1.5]]]}),
    (ev.share_entropy, {"shares": [*NO_ARRAYS, [0.5, 0.6], [[0.5, 0.5]]]}),
    (lambda threshold: ev.confident_shares(PROBABILITIES, threshold), {"threshold": NO_SHARES}),
    (
        lambda **given: ev.memorising(
            **{"generated_distances": [1.0], "held_out_distances": [1.0]} | given
        ),
        {
            "generated_distances": [*NO_ARRAYS, [np.nan], [-1.0]],
            "held_out_distances": [*NO_ARRAYS, [np.inf]],
        },
    ),
    (
        lambda **given: ev.nearest_training_distances(**{"images": U8, "x_train": U8} | given),
        {"images": [*NO_ARRAYS, U8 * 1.0], "x_train": [*NO_ARRAYS, U8 * np.nan]},
    ),
    (
        lambda **given: ev.frechet_distance(**{"a": FEATURES, "b": FEATURES} | given),
        {"b": NO_ARRAYS},
    ),
    (
        lambda **given: ev.kernel_distance(**{"a": FEATURES, "b": FEATURES} | given),
        {"a": NO_ARRAYS, "block": NO_COUNTS},
    ),
    (
        lambda **given: ev.manifold_scores(**{"real": FEATURES, "generated": FEATURES} | given),
        {"real": NO_ARRAYS, "generated": NO_ARRAYS, "n_neighbors": NO_COUNTS, "block": NO_COUNTS},
    ),
    (
        quality,
        {
            "threshold": NO_SHARES,
            "n_neighbors": NO_COUNTS,
            "batch_size": NO_COUNTS,
            "classifier": [None, "bad", 7, lambda images, batch_size: PROBABILITIES],
        },
    ),
    (
        settings,
        {
            "width": NO_COUNTS,
            "epochs": NO_COUNTS,
            "batch_size": NO_COUNTS,
            "learning_rate": [0.0, -1.0, float("inf"), True, *NO_NUMBERS],
            "flip": NO_BOOLS,
            "seed": [*NO_SEEDS, None],
        },
    ),
    (
        lambda **given: ev.build_classifier(**{"image_shape": (8, 8, 1), "num_classes": 2} | given),
        {"image_shape": NO_SHAPES, "num_classes": NO_COUNTS, "seed": [*NO_SEEDS, None]},
    ),
    (ev.ImageClassifier, {"model": [None, "bad", 7, keras.Sequential([keras.Input((2,))])]}),
    (lambda dataset: ev.load_or_train_classifier(dataset, "."), {"dataset": [None, "digits", U8]}),
    (
        table,
        {
            "n_labelled": NO_COUNTS,
            "draws": NO_COUNTS,
            "seed": [*NO_SEEDS, None],
            "stratified": NO_BOOLS,
            "alpha": [0.0, 1.0, "bad", None, float("nan")],
            "gamma": [0.0, -1.0, "bad", None, float("nan")],
            "tol": [-1.0, *NO_NUMBERS],
        },
    ),
    (
        spread,
        {
            "pool": [None, "bad", 7, U8, ()],
            "test": [None, "bad", 7, U8, ()],
            "unlabelled": ["bad", 7, [], OBJECTS],
            "on_cell": ["bad", 7],
            "finished": [7, [7], "bad"],
        },
    ),
    (lambda y_test: spread(test=(U8, y_test)), {"y_test": [np.full(24, 5), CLASSES + 1]}),
    (
        choose,
        {
            "n_neighbors": [7, None, "bad", [], [0], [True], OBJECTS],
            "alpha": [0.2, None, "bad", [], [2.0]],
            "n_validation": [0, 24, 1.5, "bad", OBJECTS],
            "seed": [*NO_SEEDS, None],
        },
    ),
    (
        lambda **given: ev.draw_labelled(**{"y_pool": CLASSES, "n": 4} | given),
        {"y_pool": NO_ARRAYS, "n": NO_COUNTS, "draw": [-1, None], "stratified": NO_BOOLS},
    ),
    (
        lambda **given: ev.generative_adversarial_metric(
            **{"gan_a": None, "gan_b": None, "x_test": U8} | given
        ),
        {"gan_a": [None, "bad"], "x_test": NO_ARRAYS, "n_samples": NO_COUNTS, "seed": NO_SEEDS},
    ),
    (lambda runs: ev.tournament(runs, U8), {"runs": [None, "bad", 7, [1, 2], {}]}),
    (ev.calibrated_cut, {"loss": [None, "bad", 7, [], OBJECTS]}),
    (
        a_dataset,
        {
            "x_train": [None, "bad", U8 / 255.0, U8.astype("float32"), U8[0], U8.tolist()],
            "x_test": [None, U8 / 255.0, U8.astype("int64")],
            "y_train": ["bad", CLASSES[:3], CLASSES * 1.0, CLASSES.tolist()],
            "y_test": [CLASSES[:, None], CLASSES > 0],
        },
    ),
    (to_uint8, {"images": [None, "bad", U8, U8 * 1.0, np.array([0.0, 3.0]), [np.nan]]}),
    (
        lambda **given: load_dataset("digits", **given),
        {"image_size": [0, "bad", (1, 2, 3), OBJECTS], "channels": [2, "bad", OBJECTS, []]},
    ),
    (load_dataset, {"name_or_path": NO_PATHS}),
    (
        grid,
        {
            "images": [None, "bad", [], U8 * 1.0, U8[0], U8[:1]],
            "rows": NO_COUNTS,
            "gap": [-1, 1.5, None, True],
        },
    ),
    (figure, {"row_labels": [7, ["one"]], "column_labels": [7], "inches": [0, -1.0, *NO_NUMBERS]}),
    (plotting.png, {"image": [None, "bad", 7, U8, U8[0] * 1.0, U8[0, :0]]}),
    (
        lambda **given: plotting.save_image(**{"path": "image.png", "image": U8[0]} | given),
        {"path": NO_PATHS, "image": [None, "bad", U8, U8[0] / 255.0]},
    ),
    (
        lambda **given: plotting.save_figure(**{"path": "a.png", "figure": Figure()} | given),
        {"path": NO_PATHS, "figure": [None, "bad", U8], "dpi": NO_COUNTS},
    ),
    (
        lambda **given: plotting.training_curves(**{"history": HISTORY} | given),
        {"history": [None, "bad", 7, [], {}], "equilibrium": [1.5, -0.1, "bad", OBJECTS]},
    ),
    (RunDirectory, {"path": [None, 7, []]}),
    (load_run, {"path": NO_PATHS}),
    (lambda gan: sample_images(gan, 0), {"gan": [None, "bad"]}),
]


@pytest.mark.parametrize(
    ("call", "wrong"), CASES, ids=[f"{i}-{next(iter(wrong))}" for i, (_, wrong) in enumerate(CASES)]
)
def test_the_message_names_the_argument(call, wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=name) as caught:
                call(**{name: value})
            said = str(caught.value)
            assert f"`{name}" in said, (name, value, said)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def gan():
    gan = ConvolutionalGAN(
        (16, 16, 1),
        4,
        generator_options={"filters": (4, 3)},
        discriminator_options={"filters": 4},
    )
    gan.compile()
    return gan


METHODS = {
    "fit": {
        "epochs": [-1, None, 1.5, "bad", True],
        "validation_freq": [0, -1, None, 1.5, [], [0], "bad"],
        "batch_size": [0, 1.5, "bad"],
        "callbacks": ["bad", 7, [None]],
        "validation_split": [1.0, "bad", None],
    },
    "generate": {"n": NO_COUNTS, "seed": NO_SEEDS, "batch_size": NO_COUNTS},
    "discriminate": {"images": NO_ARRAYS, "batch_size": NO_COUNTS},
    "compile": {
        "generator_optimizer": IDENTIFIERS,
        "discriminator_optimizer": IDENTIFIERS,
        "update": ["bad", None, OBJECTS],
        "run_eagerly": NO_BOOLS,
        "steps_per_execution": NO_COUNTS,
        "jit_compile": ["no", None, OBJECTS],
    },
    "save": {"filepath": NO_PATHS, "overwrite": NO_BOOLS, "zipped": ["no", 1]},
}


@pytest.mark.parametrize("method", METHODS)
def test_methods_of_a_gan_name_the_argument(gan, method, tmp_path):
    given = {"fit": {"x": U8, "verbose": 0}, "generate": {"n": 1}, "discriminate": {"images": U8}}
    given["save"] = {"filepath": tmp_path / "gan.keras"}
    for name, values in METHODS[method].items():
        for value in values:
            with pytest.raises(ValueError, match=f"`{name}`"):
                getattr(gan, method)(**given.get(method, {}) | {name: value})
    assert int(gan.optimizer.iterations) == 0


def test_what_is_allowed_is_taken():
    np.testing.assert_array_equal(to_uint8(np.array([0.0, 1.5])), [128, 255])
    assert ev.confident_shares(PROBABILITIES, 1.0).confident == 0.0
    assert ev.memorising([0.0], [0.0]).ratio is None
    assert a_dataset(y_test=None, x_test=U8[:0], y_train=None).image_shape == (16, 16, 1)
    assert primary(kernel_size=(3, 2), strides=(1, 2)).shape[-1] == 2
    assert primary(kernel_size=9, padding="same").shape == (2, 64, 2)
