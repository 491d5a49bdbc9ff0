"""The command that trains encoders and measures their codes."""

import dataclasses
import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.linear_model import LogisticRegression

from capsgan_keras import BiCoGAN, BiGAN, load_dataset, load_run
from capsgan_keras.evaluation import SemiSupervisedSettings, draw_labelled
from capsgan_keras.losses import HingeLoss, MarginLoss
from experiments.bigan.__main__ import main
from experiments.bigan.published import PUBLISHED
from experiments.evaluations.codes import linear_probe, read_codes
from experiments.evaluations.result_file import ResultFile
from experiments.settings.encoders import UNUSED, CodeSettings, EncoderSettings
from experiments.settings.training import Settings
from experiments.training.encoders import ENCODERS, encoder_sizes
from experiments.training.labels import labels_of
from experiments.training.networks import build_gan

ROOT = Path(__file__).parents[3]
TINY = shlex.split(
    "--dataset digits --image-size 16 --epochs 2 --batch-size 256 --latent-dim 6 "
    "--generator-filters 4 4 --encoder-width 0.125 --discriminator-filters 4 "
    "--discriminator-units 8 --precision float32 --verbose 0 --n-labelled 20 --draws 2 "
    "--n-unlabelled 100"
)


@pytest.fixture
def bigan(tmp_path):
    """Run the command in this process on tiny networks and return the exit status."""

    def call(*arguments, run_dir=tmp_path / "runs"):
        return main([*TINY, "--run-dir", str(run_dir), *map(str, arguments)])

    return call


def test_a_run_ends_with_the_table_and_the_figures(bigan, tmp_path, capsys):
    assert bigan("--model", "convolutional", "--epochs", 1) == 0
    printed = capsys.readouterr().out
    run = load_run(tmp_path / "runs" / "bigan-convolutional-seed0")
    assert type(run.gan) is BiGAN
    assert run.config["settings"]["model"] == "bigan-convolutional"
    assert set(run.metrics["parameters"]) == {"generator", "encoder", "discriminator"}
    assert (run.path / "encoder.keras").is_file()
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert "BiGAN (arXiv 1605.09782): an encoder, a convolutional network" in card
    assert "codes = gan.encode(images)  # float32 (64, 6)" in card

    folder = tmp_path / "runs" / "evaluation" / "seed0"
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    figures = {"reconstructions.png", "walks-bigan-convolutional-seed0.png"}
    assert names == {"codes.json", "codes.md"} | figures
    table = (folder / "codes.md").read_text(encoding="utf-8")
    assert table.strip() in printed
    results = read_codes(folder / "codes.json")
    rows = ["pixels", "pca", "bigan-convolutional-seed0"]
    assert list(results.errors) == rows
    for row in rows:
        for method in ("nearest", "probe", "spreading"):
            assert np.shape(results.errors[row][method]) == (1, 2)
    mean = np.mean(results.errors["pixels"]["nearest"][0])
    assert f"| pixels | {mean:.4f} ± " in table
    # Digits are told apart by their pixels, and six components keep the most of that.
    assert mean < np.mean(results.errors["pca"]["nearest"][0]) + 0.1 < 0.7

    # The same command adds nothing, and a finished file is only read.
    before = (folder / "codes.json").read_bytes()
    assert bigan("--model", "convolutional", "--epochs", 1, "--resume") == 0
    assert (folder / "codes.json").read_bytes() == before
    content = json.loads(before)
    content["results"]["errors"]["pixels"].pop("probe")
    content["results"]["errors"]["pixels"]["nearest"] = "none"
    (folder / "codes.json").write_text(json.dumps(content))
    assert bigan("--model", "convolutional", "--epochs", 1, "--resume") == 2
    assert "codes.json" in capsys.readouterr().err


@pytest.mark.long
def test_both_encoders_are_compared_and_a_broken_evaluation_goes_on(bigan, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        assert bigan("--no-evaluate", run_dir=folder) == 0
    assert bigan("--resume", run_dir=whole) == 0
    write = ResultFile.write
    calls = iter(range(9))

    def interrupted(self, finished=False):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        write(self, finished)

    with monkeypatch.context() as patch:
        patch.setattr(ResultFile, "write", interrupted)
        assert bigan("--resume", run_dir=broken) == 130
    path = broken / "evaluation" / "seed0" / "codes.json"
    assert not json.loads(path.read_text())["finished"]
    assert bigan("--resume", run_dir=broken) == 0
    rows = ["pixels", "pca", "bigan-capsule-seed0", "bigan-convolutional-seed0"]
    assert list(read_codes(path).errors) == rows
    assert read_codes(path).errors == read_codes(whole / path.relative_to(broken)).errors


@pytest.mark.long
def test_a_killed_run_goes_on_bit_for_bit(tmp_path):
    def start(folder):
        arguments = [*TINY, "--run-dir", str(folder), "--model", "capsule", "--no-evaluate"]
        command = [sys.executable, "-m", "experiments.bigan", *arguments, "--epochs", "4"]
        return subprocess.Popen([*command, "--resume"], cwd=ROOT, stderr=subprocess.DEVNULL)

    assert start(tmp_path / "whole").wait(timeout=300) == 0
    process = start(tmp_path / "killed")
    run = tmp_path / "killed" / "bigan-capsule-seed0"
    deadline = time.monotonic() + 300
    while not list(run.glob("checkpoint/epoch-0002")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not load_run(run).finished
    assert start(tmp_path / "killed").wait(timeout=300) == 0
    ours, theirs = load_run(run).gan, load_run(tmp_path / "whole" / run.name).gan
    variables = [[*gan.variables, *gan.optimizer.variables] for gan in (ours, theirs)]
    for one, other in zip(*variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one.value), np.asarray(other.value), other.path)


def test_the_linear_probe_is_scikit_learns():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = (rng.normal(size=(60, 4)) + 2.0 * np.eye(4)[y]).reshape(60, 1, 1, 4)
    pool, test = (x[:40], y[:40]), (x[40:], y[40:])
    table = SemiSupervisedSettings(n_labelled=(9, 30), draws=2)
    cells = linear_probe(pool, test, table)
    assert [(cell.n_labelled, cell.draw) for cell in cells] == [(9, 0), (9, 1), (30, 0), (30, 1)]
    flat = x.reshape(60, 4) - x[:40].reshape(40, 4).mean(axis=0)
    flat /= np.sqrt(np.mean(flat[:40] ** 2))
    for cell in cells:
        chosen = draw_labelled(y[:40], cell.n_labelled, cell.draw)
        probe = LogisticRegression(max_iter=1000).fit(flat[chosen], y[chosen])
        assert cell.error == pytest.approx(1.0 - probe.score(flat[40:], y[40:]))
    # A scale of all vectors makes no difference.
    scaled = linear_probe(*((7.0 * a + 3.0, b) for a, b in (pool, test)), table)
    assert [cell.error for cell in scaled] == [cell.error for cell in cells]


@pytest.mark.parametrize("width", [None, 0.25, 2.0])
def test_one_width_keeps_both_encoders_of_one_size(width):
    sizes = [
        build((16, 16, 1), **encoder_sizes(kind, width)).count_params()
        for kind, build in ENCODERS.items()
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)
    assert encoder_sizes("capsule", 2.0)["num_capsule"] == 32


def test_options_reach_the_networks():
    settings = dataclasses.replace(
        PUBLISHED["digits"],
        head="dense",
        latent_dim=7,
        discriminator_filters=(4, 6),
        discriminator_units=9,
        discriminator_learning_rate=3e-4,
        generator_learning_rate=5e-4,
        generator_ema=0.9,
        gradient_penalty=0.25,
        spectral_normalization=True,
        augmentation=("cutout", "color"),
        initializer="normal",
        dropout=0.5,
        update="alternating",
        decay=0.0,
    )
    gan = build_gan(settings, "bigan-convolutional", (16, 16, 1))
    assert type(gan.loss).__name__ == "BinaryCrossentropy"
    assert gan.latent_dim == 7
    assert gan.gradient_penalty == 0.25
    assert gan.update == "alternating"
    assert gan.generator_optimizer.ema_momentum == 0.9
    rates = gan.generator_optimizer.learning_rate, gan.discriminator_optimizer.learning_rate
    assert [float(rate) for rate in rates] == pytest.approx([5e-4, 3e-4])
    shapes = {tuple(weight.shape) for weight in gan.discriminator.weights}
    assert {(5, 5, 1, 4), (5, 5, 4, 6), (4 * 4 * 6 + 256, 9), (9, 1)} <= shapes
    kinds = [type(layer).__name__ for layer in gan.discriminator.layers]
    assert "Dropout" in kinds
    assert kinds.count("SpectralNormalization") == 5
    assert gan.discriminator.get_layer("augmentation").names == ("cutout", "color")
    for network in (gan.encoder, gan.discriminator):
        (first,) = (w for w in network.weights if tuple(w.shape[:3]) == (5, 5, 1))
        assert float(ops.std(first)) == pytest.approx(0.02, rel=0.4)


@pytest.mark.parametrize("labels", ["none", "all"])
@pytest.mark.parametrize(
    ("loss", "kind", "activation"),
    [
        ("hinge", HingeLoss, "linear"),
        ("least-squares", keras.losses.MeanSquaredError, "sigmoid"),
        ("margin", MarginLoss, "sigmoid"),
    ],
)
def test_the_loss_reaches_the_networks(loss, kind, activation, labels):
    settings = dataclasses.replace(PUBLISHED["digits"], head="dense", loss=loss, labels=labels)
    gan = build_gan(settings, f"{settings.kind}-convolutional", (16, 16, 1))
    assert isinstance(gan.loss, kind)
    assert gan.discriminator.layers[-1].activation.__name__ == activation
    batch = (np.zeros((4, 16, 16, 1), "uint8"), np.arange(4))[: 1 if labels == "none" else 2]
    logs = gan.train_on_batch(*batch)
    assert np.all(np.isfinite(np.array(logs)))


def test_hinge_is_not_for_lengths(bigan, capsys):
    assert bigan("--loss", "hinge") == 2
    assert "never negative" in capsys.readouterr().err


def test_runs_of_other_labels_lie_in_other_folders():
    settings = EncoderSettings(dataset="mnist")
    assert settings.models == ("bigan-capsule", "bigan-convolutional")
    assert str(settings.runs_folder) == "runs/mnist/bigan"
    labelled = dataclasses.replace(settings, labels="100", model="capsule")
    assert labelled.models == ("bicogan-capsule",)
    assert str(labelled.runs_folder) == "runs/mnist/bicogan-100"
    assert labelled.identity("bicogan-capsule")["labels"] == "100"
    assert "capsule_filters" not in labelled.identity("bicogan-capsule")


@pytest.mark.long
def test_a_bicogan_learns_from_as_many_labels_as_are_asked_for(bigan, tmp_path):
    arguments = "--model", "convolutional", "--latent-dim", 16, "--labels"
    assert bigan(*arguments, 100) == 0
    run = load_run(tmp_path / "runs" / "bicogan-convolutional-seed0")
    assert type(run.gan) is BiCoGAN
    assert run.config["settings"]["labels"] == "100"
    folder = tmp_path / "runs" / "evaluation" / "seed0"
    assert (folder / "classes-bicogan-convolutional-seed0.png").is_file()
    assert bigan(*arguments, 101, "--resume") == 2


def test_labels_are_drawn_with_as_many_of_each_class():
    settings = dataclasses.replace(PUBLISHED["digits"], labels="40")
    dataset = load_dataset("digits")
    labels = labels_of(settings, dataset)
    known = labels >= 0
    np.testing.assert_array_equal(labels[known], dataset.y_train[known])
    np.testing.assert_array_equal(np.bincount(labels[known]), [4] * 10)
    assert set(labels[~known]) == {-1}
    other = labels_of(dataclasses.replace(settings, seed=1), dataset)
    assert np.any((other >= 0) != known)
    everything = labels_of(dataclasses.replace(settings, labels="all"), dataset)
    np.testing.assert_array_equal(everything, dataset.y_train)
    assert labels_of(PUBLISHED["digits"], dataset) is None


def test_labels_that_the_data_lack_are_refused():
    dataset = load_dataset("digits")
    for changed, message in (
        ({"labels": "2000"}, "`labels` must be at most"),
        ({"labels": "all", "classes": 9}, "`classes` must be larger than all labels"),
    ):
        with pytest.raises(ValueError, match=message):
            labels_of(dataclasses.replace(PUBLISHED["digits"], **changed), dataset)
    unlabelled = dataclasses.replace(dataset, y_train=None, y_test=None)
    settings = dataclasses.replace(PUBLISHED["digits"], labels="all")
    with pytest.raises(ValueError, match="`labels` needs labelled images"):
        labels_of(settings, unlabelled)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--classes 5", "`classes` needs `labels`"),
        ("--labels all", "`latent_dim` must be larger than the number of classes"),
        ("--labels some", "`labels` must be none, all or a positive whole number"),
        ("--labels 0", "`labels` must be none, all or a positive whole number"),
        ("--label-weight 2", "`label_weight` needs `labels`"),
        ("--head convolution", "--head: invalid choice"),
        ("--n-labelled 20 20", "`n_labelled` must name each number once"),
        ("--draws 0", "`draws` must be"),
        ("--dataset nowhere", "nowhere"),
        ("--n-labelled 5000", "cannot be evaluated, for it lacks more than 5,000 training"),
        ("--latent-categories 4", "unrecognized arguments: --latent-categories"),
        ("--discriminator-units 100000000000", "memory"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    bigan, arguments, message, tmp_path, capsys
):
    assert bigan(*shlex.split(arguments)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_help_shows_the_settings_of_the_data_set(capsys):
    for dataset, settings in PUBLISHED.items():
        assert main(["--dataset", dataset, "--help"]) == 0
        text = capsys.readouterr().out
        help_of = text.partition("  --latent-dim ")[2].partition("\n  --")[0]
        assert f"(default: {settings.latent_dim})" in " ".join(help_of.split())
    for field in dataclasses.fields(EncoderSettings):
        option = f"  --{field.name.replace('_', '-')}"
        assert (f"{option} " in text or f"{option}\n" in text or f"{option}," in text) == (
            field.name not in UNUSED
        ), field.name
    assert all(f"--{name.replace('_', '-')}" in text for name in CodeSettings.__annotations__)


def test_settings_of_other_gans_are_no_options_and_stay_defaults():
    assert {"capsule_filters", "latent_categories", "width"} <= set(UNUSED)
    for settings in PUBLISHED.values():
        for name in set(UNUSED) - {"settings"}:
            assert getattr(settings, name) == getattr(Settings(), name), name
