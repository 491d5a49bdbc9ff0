"""The networks that come with the package, and how they are stored."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import capsgan_keras
from capsgan_keras import CapsuleGAN, ConvolutionalGAN, load_pretrained
from capsgan_keras.gan.saving import in_float32
from capsgan_keras.models import build_capsule_discriminator, build_generator
from capsgan_keras.plotting import image_grid
from capsgan_keras.pretrained import pretrained_models
from capsgan_keras.pretrained.half_precision import save_half_precision
from capsgan_keras.pretrained.loading import FOLDER, find_run, pretrained_path
from capsgan_keras.runs import RunError, load_run, sample_images
from experiments.errors import EvaluationError
from experiments.evaluations.finished_runs import FinishedRuns

ROOT = Path(capsgan_keras.__file__).parents[1]
SHIPPED = pretrained_models()
SHAPE = (16, 16, 1)


def weights_in(path):
    """The arrays of weights in a .keras file, by their place in it."""
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as stream:
        arrays = {}

        def keep(name, item):
            if isinstance(item, h5py.Dataset):
                arrays[name] = item[()]

        with h5py.File(stream) as file:
            file.visititems(keep)
        return arrays


def test_both_models_of_mnist_come_with_the_package():
    assert {("capsule", "mnist"), ("convolutional", "mnist")} <= set(SHIPPED)


@pytest.mark.parametrize(("model", "dataset"), SHIPPED)
def test_shipped_networks(model, dataset):
    gan = load_pretrained(model, dataset)
    assert type(gan) is {"capsule": CapsuleGAN, "convolutional": ConvolutionalGAN}[model]
    assert {layer.compute_dtype for layer in gan._flatten_layers()} == {"float32"}
    assert {weight.dtype for weight in gan.weights} == {"float32"}
    assert not gan.compiled

    path = pretrained_path(model, dataset)
    assert (path / "gan.keras").stat().st_size <= 4_000_000
    kernels = [array for array in weights_in(path / "gan.keras").values() if array.ndim > 1]
    assert {array.dtype.name for array in kernels} == {"float16"}

    # Its pictures are what it generates; a pixel may be rounded otherwise on another machine.
    seed = load_run(path).config["settings"]["seed"]
    grid = image_grid(sample_images(gan, seed), 10, 10)
    shown = np.asarray(Image.open(path / "samples.png")).astype(int)
    assert np.abs(shown - grid.squeeze()).max() <= 1
    scores = gan.discriminate(gan.generate(20, seed=0))
    assert scores.min() < scores.max()


@pytest.mark.parametrize(("model", "dataset"), SHIPPED)
def test_shipped_cards_say_what_was_recorded(model, dataset):
    run = load_run(pretrained_path(model, dataset))
    stored = run.metrics["pretrained"]
    assert stored["bytes"] == (run.path / "gan.keras").stat().st_size
    assert stored["compared_images"] == 10_000
    assert stored["largest_difference"] <= 1
    card = (run.path / "README.md").read_text(encoding="utf-8")
    parameters = {name: getattr(run.gan, name).count_params() for name in run.metrics["parameters"]}
    assert run.metrics["parameters"] == parameters
    for part in (
        f'load_pretrained("{model}", "{dataset}")',
        f"| largest difference | {stored['largest_difference']} |",
        f"generator {parameters['generator']:,}",
        f"| epochs | {run.config['settings']['epochs']} |",
        run.config["dataset"]["checksum"],
        "## Terms of use",
        "Apache 2.0",
        *(f"| {name} | {value} |" for name, value in stored["evaluation"].items()),
    ):
        assert part in card


@pytest.mark.parametrize(
    ("model", "dataset"), [("capsule", "imagenet"), ("convolution", "mnist"), (None, 3), ("..", "")]
)
def test_what_does_not_exist_is_refused_with_what_does(model, dataset):
    with pytest.raises(ValueError, match="must name trained networks") as refusal:
        load_pretrained(model, dataset)
    for pair in SHIPPED:
        assert f"load_pretrained('{pair[0]}', '{pair[1]}')" in str(refusal.value)
    assert str(refusal.value).endswith(f"Received: model={model!r}, dataset={dataset!r}")


def test_a_run_is_found_by_its_name_in_the_package(tmp_path, monkeypatch):
    run = find_run("mnist/capsule")
    assert run.path == pretrained_path("capsule", "mnist")
    with pytest.raises(EvaluationError, match=r"comes with the package.*Give --output"):
        _ = FinishedRuns({"capsule": run}, None).evaluation_folder
    with pytest.raises(
        RunError, match=r"mnist/none: is no run: the folder does not exist.*cifar10/capsule, mnist"
    ):
        find_run("mnist/none")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist" / "capsule").mkdir(parents=True)  # what exists goes first
    with pytest.raises(RunError, match="is no run: the folder is empty"):
        find_run("mnist/capsule")


def test_an_empty_or_damaged_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match="there are none"):
        load_pretrained("capsule", "mnist", folder=tmp_path)
    copy = shutil.copytree(pretrained_path("capsule", "mnist"), tmp_path / "mnist" / "capsule")
    half = tmp_path / "mnist" / ".writing-convolutional"  # a leftover of a kill
    shutil.copytree(copy, half)
    assert pretrained_models(tmp_path) == [("capsule", "mnist")]
    (copy / "gan.keras").write_bytes(b"no archive")
    with pytest.raises(RunError, match=r"gan\.keras: could not be loaded"):
        load_pretrained("capsule", "mnist", folder=tmp_path)


def build_gan(dtype, latent_categories=0, **options):
    return CapsuleGAN(
        SHAPE,
        latent_dim=4,
        generator=build_generator(
            SHAPE, 4, filters=(8, 4), latent_categories=latent_categories, dtype=dtype, seed=0
        ),
        discriminator=build_capsule_discriminator(
            SHAPE, filters=4, n_channels=1, dtype=dtype, seed=0, **options
        ),
        seed=0,
        dtype=dtype,
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"num_capsule": 2, "routing": "leaky", "dropout": 0.5}, {"latent_categories": 3}],
)
def test_a_copy_in_float32_is_the_same_gan(options):
    gan, expected = build_gan("mixed_bfloat16", **options), build_gan("float32", **options)
    rng = np.random.default_rng(0)
    weights = [weight + rng.normal(0, 0.1, weight.shape) ** 2 for weight in gan.get_weights()]
    for each in (gan, expected):
        each.set_weights(weights)
    copy = in_float32(gan)
    np.testing.assert_array_equal(copy.generate(5, seed=0), expected.generate(5, seed=0))
    images = expected.generate(5, seed=1)
    np.testing.assert_array_equal(copy.discriminate(images), expected.discriminate(images))
    assert np.any(gan.discriminate(images) != expected.discriminate(images))
    assert {layer.compute_dtype for layer in gan.generator.layers} >= {"bfloat16"}


def test_kernels_are_rounded_and_vectors_are_not(tmp_path):
    gan = build_gan("float32", dropout=0.25)
    gan.compile()
    rng = np.random.default_rng(0)
    gan.set_weights([rng.normal(0, 1, w.shape).astype("float32") ** 2 for w in gan.get_weights()])
    save_half_precision(gan, tmp_path / "half.keras")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    rounded = 0
    for ours, theirs in zip(gan.get_weights(), loaded.get_weights(), strict=True):
        exact = ours.ndim < 2
        expected = ours if exact else ours.astype("float16").astype("float32")
        np.testing.assert_array_equal(theirs, expected)
        rounded += np.any(theirs != ours)
    assert rounded == sum(weight.ndim > 1 for weight in gan.get_weights())
    assert not loaded.compiled
    gan.save(tmp_path / "whole.keras")
    sizes = [(tmp_path / name).stat().st_size for name in ("half.keras", "whole.keras")]
    assert sizes[0] < 0.5 * sizes[1]


def test_weights_beyond_float16_are_refused(tmp_path):
    gan = build_gan("float32")
    weights = gan.get_weights()
    weights[0][0, 0] = 70_000.0
    gan.set_weights(weights)
    with pytest.raises(ValueError, match=r"float16's range.*Received: 70000"):
        save_half_precision(gan, tmp_path / "half.keras")


def test_an_installed_package_has_them(tmp_path, run_python):
    """From the sdist by way of a wheel, as pip installs it."""
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "capsgan_keras", source / "capsgan_keras", ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    sdist = build(source, "sdist")
    shutil.unpack_archive(sdist, tmp_path / "unpacked", filter="data")
    wheel = build(next((tmp_path / "unpacked").iterdir()), "bdist_wheel")
    site = tmp_path / "site"
    shutil.unpack_archive(wheel, site, "zip")
    files = {path.relative_to(FOLDER) for path in FOLDER.rglob("*/*/*") if path.is_file()}
    files = {path for path in files if "__pycache__" not in path.parts}
    assert {path.name for path in files} >= {"gan.keras", "README.md", "config.json"}
    for path in files:
        installed = site / "capsgan_keras" / "pretrained" / path
        assert installed.read_bytes() == (FOLDER / path).read_bytes()
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import capsgan_keras, json; gan = capsgan_keras.load_pretrained('capsule', 'mnist')\n"
        "print(json.dumps([capsgan_keras.__file__, gan.generate(2, seed=0).sum().item()]))"
    )
    file, total = json.loads(run_python(script).splitlines()[-1])
    assert Path(file).is_relative_to(site)
    assert total == load_pretrained("capsule", "mnist").generate(2, seed=0).sum()


def build(source, kind):
    """Let setuptools build a distribution, and return its file."""
    command = [sys.executable, "-c", "import setuptools; setuptools.setup()", "--quiet", kind]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = (source / "dist").iterdir()
    return file
