import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capsgan_keras import load_dataset
from capsgan_keras.evaluation import ClassifierSettings, semi_supervised_error
from capsgan_keras.training.batches import EpochBatches
from experiments.evaluations.result_file import differences_between
from experiments.mnist import TUNED
from experiments.study import __main__ as study
from experiments.study import training as study_training
from experiments.study.cases import BASE, CASES, RATES, StudySizes
from experiments.study.measuring import border_contrast, life, recognition
from experiments.study.report import figure, markdown, read_study
from experiments.study.routing import compare_routings
from experiments.study.training import IntervalBatches, start, train

TINY = {
    "dataset": "digits",
    "batch_size": 32,
    "latent_dim": 4,
    "generator_filters": (4, 4),
    "capsule_filters": (4,),
    "convolutional_filters": (4,),
    "n_channels": 1,
    "precision": "float32",
}
SIZES = StudySizes(
    steps=6, every=2, n_samples=40, n_unlabelled=30, n_labelled=20, draws=2, proof_steps=2
)
ARGUMENTS = ["--precision", "float32", "--verbose", "0", "--seeds", "2"] + [
    word
    for name in ("steps", "every", "n_samples", "n_unlabelled", "n_labelled", "draws")
    for word in (f"--{name.replace('_', '-')}", str(getattr(SIZES, name)))
]
NAMES = ["capsule-margin-seed0", "capsule-margin-seed1", "convolutional-least-squares-seed0"]


def tiny(name, max_seeds=None, **values):
    (case,) = [case for case in CASES if case.name == name]
    settings = dataclasses.replace(case.settings, **TINY | values)
    return dataclasses.replace(case, settings=settings, max_seeds=max_seeds)


@pytest.fixture(scope="module")
def run_study(tmp_path_factory):
    """Run the command on two small settings of digits; returns the exit status."""
    cache = tmp_path_factory.mktemp("classifiers")
    cases = tiny("capsule-margin"), tiny("convolutional-least-squares", max_seeds=1)
    quick = ClassifierSettings(width=4, epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "CASES", cases)
        patch.setattr(study, "BASE", cases[0].settings)
        patch.setattr(ClassifierSettings, "for_images", lambda *_: quick)

        def call(folder, *arguments, only=("capsule-margin", "convolutional-least-squares")):
            common = [*ARGUMENTS, "--cache-dir", str(cache), "--output", str(folder)]
            return study.main([*common, "--only", *only, *arguments])

        yield call


@pytest.fixture(scope="module")
def made(run_study, tmp_path_factory):
    """The folder of a finished small study."""
    folder = tmp_path_factory.mktemp("study") / "results"
    assert run_study(folder) == 0
    return folder


@pytest.fixture
def results(made, tmp_path):
    """A copy of it to write in."""
    return shutil.copytree(made, tmp_path / "results")


def read(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def without_times(content):
    content["results"].pop("seconds")
    return content


# ---- settings


def test_the_study_is_no_larger_than_it_was_to_be():
    """At most 14 settings of 3 runs: 13 on MNIST, and one question on CIFAR-10 with one seed."""
    on_mnist = [case for case in CASES if case.settings.dataset == "mnist"]
    others = [case for case in CASES if case not in on_mnist]
    assert len(on_mnist) == 13
    assert {case.max_seeds for case in on_mnist} == {None}
    assert [(case.settings.dataset, case.max_seeds) for case in others] == [("cifar10", 1)] * 2
    assert len({case.question for case in others}) == 1
    assert 3 * len(on_mnist) + len(others) <= 14 * 3
    assert len({case.name for case in CASES}) == len(CASES)


def test_each_setting_changes_what_it_names():
    def changes(case, base):
        return {
            field.name: getattr(case.settings, field.name)
            for field in dataclasses.fields(base)
            if getattr(case.settings, field.name) != getattr(base, field.name)
        }

    by_name = {case.name: case for case in CASES}
    losses = {
        f"{model}-{loss}": {"model": model, "loss": loss}
        for model in ("capsule", "convolutional")
        for loss in ("margin", "cross-entropy", "least-squares")
    }
    for name, expected in losses.items():
        base = {"model": "capsule", "loss": "margin"}
        wanted = {key: value for key, value in expected.items() if value != base[key]}
        assert changes(by_name[name], BASE) == wanted
    assert changes(by_name["wide-capsules"], BASE) == {"n_channels": 2, "primary_dim_capsule": 64}
    assert changes(by_name["batch-norm"], BASE) == {"capsule_batch_norm": True}
    assert changes(by_name["leaky-routing"], BASE) == {"routing": "leaky"}
    assert changes(by_name["two-capsules"], BASE) == {"num_capsule": 2}
    padding = [by_name[f"cifar10-{padding}"] for padding in ("same", "valid")]
    assert changes(padding[1], padding[0].settings) == {"capsule_padding": "valid"}
    latents = {"latent_dim", "latent_categories"}
    training = {"beta_1", "beta_2", "decay", "generator_ema", "convolutional_batch_norm"}
    training |= {"capsule_filters", "epochs"}  # the steps are counted by the study
    rates = {f"{player}_learning_rate" for player in ("capsule", "convolutional")}
    for field in dataclasses.fields(TUNED):
        if field.name not in {"model", "loss", "settings"} | rates | latents | training:
            assert getattr(BASE, field.name) == getattr(TUNED, field.name)
    assert (BASE.beta_1, BASE.beta_2, BASE.decay) == (0.5, 0.999, 0.0)
    assert (BASE.latent_dim, BASE.latent_categories, BASE.generator_ema) == (32, 0, 0.0)
    assert BASE.capsule_filters == (64, 128)


def test_published_runs_are_those_of_the_settings():
    """Or `--resume` would refuse to go on with them."""
    folder = Path(__file__).parents[3] / "results" / "study"
    found = 0
    for case in CASES:
        for path in folder.glob(f"{case.name}-seed*.json"):
            identity = json.loads(path.read_text(encoding="utf-8"))["identity"]
            stored = identity["settings"]
            settings = dataclasses.replace(case.settings, seed=identity["seed"])
            expected = settings.identity(case.model) | {"precision": stored["precision"]}
            del expected["epochs"], expected["validation"]
            assert not differences_between(stored, json.loads(json.dumps(expected)))
            found += 1
    assert found > 0


def test_ratios_of_rates_are_what_they_are_called():
    ratios = {}
    for case in CASES:
        if case.settings.dataset == "mnist":
            rate = getattr(case.settings, f"{case.model}_learning_rate")
            ratios[case.name] = rate / case.settings.generator_learning_rate
    for title, name in RATES.items():
        top, _, bottom = title.partition("/")
        assert ratios.pop(name) == pytest.approx(int(top) / int(bottom or 1))
    assert set(ratios.values()) == {0.25}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 75}, "`steps` must be a multiple of `every`, 50"),
        ({"every": 0}, "`every` must be a whole number of at least 1"),
        ({"draws": 0}, "`draws` must be"),
    ],
)
def test_sizes_out_of_range_are_refused_by_name(values, message):
    with pytest.raises(ValueError, match=message):
        StudySizes(**values)


# ---- training


def test_intervals_are_the_batches_of_whole_epochs():
    images = np.arange(50, dtype="uint8").reshape(50, 1, 1, 1)
    epochs, intervals = EpochBatches(images, 8, seed=3), IntervalBatches(images, 8, 3, interval=5)
    expected = []
    for epoch in range(5):  # six batches each
        epochs.epoch = epoch
        expected += [epochs[index] for index in range(epochs.num_batches)]
    given = []
    for interval in range(6):
        intervals.epoch = interval
        given += [intervals[index] for index in range(intervals.num_batches)]
    np.testing.assert_array_equal(given, expected)


def test_a_run_that_diverges_is_recorded_as_dead():
    images = load_dataset("digits").x_train
    settings = tiny("capsule-margin", generator_learning_rate=1e38).settings
    gan = start(settings, "float32", images.shape[1:], SIZES.steps)
    training = train(gan, settings, images, SIZES)
    assert "not finite" in training.diverged or "nan" in training.diverged
    assert len(training.curve["step"]) < 3
    assert life(training.curve, None)["died"]


def test_routings_with_one_capsule_change_no_bit():
    images = load_dataset("digits").x_train
    results = compare_routings(tiny("capsule-margin").settings, "float32", images, SIZES)
    assert {name: pair["routings"] for name, pair in results.items()} == {
        "package": [1, 3],
        "computed": [2, 3],
        "leaky": [2, 3],
    }
    assert results["package"]["different"] == results["computed"]["different"] == 0
    numbers = results["leaky"]["numbers"]
    assert numbers > 1000
    assert results["leaky"]["different"] > numbers / 2


# ---- measuring


def test_noise_in_one_class_is_recognised_in_proportion_to_that_class_only():
    y_real = np.repeat([0, 1, 2, 3], [4, 3, 2, 1])
    noise = np.tile([0.01, 0.97, 0.01, 0.01], (20, 1))
    measured = recognition(noise, y_real)
    assert measured["confident"] == 1.0
    assert measured["in_proportion"] == pytest.approx(0.3)
    assert measured["class_entropy"] == 0.0
    even = recognition(np.eye(4)[y_real], y_real)
    assert even["in_proportion"] == pytest.approx(1.0)
    unsure = np.where(np.arange(10)[:, np.newaxis] < 5, np.eye(4)[y_real], 0.25)
    assert recognition(unsure, y_real)["in_proportion"] == pytest.approx(0.5)


def test_a_frame_has_no_contrast():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (400, 8, 8, 1), dtype=np.uint8)
    uniform = np.sqrt((256**2 - 1) / 12)
    assert border_contrast(images) == pytest.approx(uniform, rel=0.02)
    images[:, :2], images[:, -2:], images[:, :, :2], images[:, :, -2:] = 9, 9, 9, 9
    assert border_contrast(images) == 0.0
    images[::2, :2], images[1::2, :2] = 0, 40  # 16 of 48 pixels of the border
    assert border_contrast(images) == pytest.approx(np.sqrt(20.0**2 / 3))


def test_who_is_dead_and_since_when():
    step = list(range(10, 210, 10))
    falling = [0.5] * 5 + [0.1, 0.3] + [0.05] * 13
    curve = {"step": step, "d_real": [0.9] * 20, "d_fake": falling}
    poor, good = {"in_proportion": 0.1}, {"in_proportion": 0.7}
    assert life(curve, poor) == {"d_real": 0.9, "d_fake": 0.05, "died": True, "died_at": 70}
    assert life(curve, good) == {"d_real": 0.9, "d_fake": 0.05, "died": False, "died_at": None}
    alive = curve | {"d_fake": falling[::-1]}
    assert life(alive, poor) == {"d_real": 0.9, "d_fake": 0.5, "died": False, "died_at": None}
    never = curve | {"d_fake": [0.1] * 20}
    assert life(never, poor)["died_at"] == 0
    assert life({"step": [], "d_real": [], "d_fake": []}, None) == {
        "d_real": None,
        "d_fake": None,
        "died": True,
        "died_at": 0,
    }


# ---- the command


def test_every_run_is_recorded(made):
    names = sorted(path.stem for path in made.glob("*.json"))
    assert names == sorted([*NAMES, "controls-digits"])
    data = load_dataset("digits")
    content = read(made, NAMES[1])
    identity, results = content["identity"], content["results"]
    assert content["finished"]
    assert identity["case"] == "capsule-margin"
    assert identity["settings"]["seed"] == identity["seed"] == 1
    assert identity["settings"]["loss"] == "margin"
    assert "epochs" not in identity["settings"]
    assert identity["sizes"] == dataclasses.asdict(SIZES) | {"proof_steps": StudySizes.proof_steps}
    settings = dataclasses.replace(tiny("capsule-margin").settings, seed=1)
    gan = start(settings, "float32", data.image_shape, SIZES.steps)
    batches = EpochBatches(data.x_train, settings.batch_size, settings.seed)
    steps = []
    for index in range(SIZES.steps):
        gan.reset_metrics()
        steps.append(gan.train_on_batch(batches[index], return_dict=True))
    assert results["curve"]["step"] == [2, 4, 6]
    for name in ("d_real", "d_fake"):
        values = np.array([float(logs[name]) for logs in steps]).reshape(3, 2)
        np.testing.assert_allclose(results["curve"][name], values.mean(axis=1), atol=2e-5)
    assert results["diverged"] is None
    assert results["equilibrium"] == pytest.approx(0.95 / 1.5)
    assert results["parameters"]["discriminator"] == gan.discriminator.count_params()
    assert results["life"]["d_fake"] == results["curve"]["d_fake"][-1]
    images = gan.generate(40, seed=0)
    spreading = semi_supervised_error(images[:30], *data, n_labelled=(20,), draws=2)
    assert results["measured"]["label_spreading"]["errors"] == spreading.errors.tolist()
    assert results["seconds"]["training"] > 0
    least_squares = read(made, NAMES[2])
    assert least_squares["results"]["equilibrium"] == 0.5
    assert least_squares["identity"]["settings"]["loss"] == "least-squares"


def test_an_interrupted_study_goes_on(made, run_study, tmp_path, monkeypatch, capsys):
    folder, only = tmp_path / "results", {"only": ("capsule-margin",)}
    calls = iter(range(1))

    def interrupted(*arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return train(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(study_training, "train", interrupted)
        assert run_study(folder, **only) == 130
    assert "--resume goes on" in capsys.readouterr().err
    assert [path.stem for path in folder.glob("*.json")] == [NAMES[0]]
    first = (folder / f"{NAMES[0]}.json").read_bytes()

    assert run_study(folder, **only) == 2
    assert "holds results already. Go on with them by --resume" in capsys.readouterr().err
    assert run_study(folder, "--resume", **only) == 0
    assert (folder / f"{NAMES[0]}.json").read_bytes() == first
    for name in NAMES[:2]:
        assert without_times(read(folder, name)) == without_times(read(made, name))


def test_a_study_of_other_sizes_is_refused_or_replaced(results, run_study, capsys):
    only = {"only": ("convolutional-least-squares",)}
    before = (results / f"{NAMES[2]}.json").read_bytes()
    assert run_study(results, "--resume", "--steps", "4", **only) == 2
    error = capsys.readouterr().err
    assert "sizes.steps: 6, 4" in error
    assert (results / f"{NAMES[2]}.json").read_bytes() == before
    for name in NAMES[:2]:
        (results / f"{name}.json").unlink()
    assert run_study(results, "--overwrite", "--steps", "4", **only) == 0
    assert read(results, NAMES[2])["results"]["curve"]["step"] == [2, 4]


def test_the_report_is_made_from_json_alone(results, capsys):
    text = (results / "study.md").read_text()
    for name in ("study.md", "study.png"):
        (results / name).unlink()
    assert study.main(["--report", "--output", str(results)]) == 0
    assert capsys.readouterr().out.startswith(text)
    assert (results / "study.md").read_text() == text
    picture = Image.open(io.BytesIO((results / "study.png").read_bytes()))
    assert picture.size[0] > 1000

    runs = [read(results, name)["results"] for name in NAMES[:2]]
    errors = [run["measured"]["label_spreading"]["mean"][0] for run in runs]
    shares = [run["measured"]["recognised"]["in_proportion"] for run in runs]
    (line,) = [line for line in text.splitlines() if "`capsule-margin`" in line]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[4] == "2"
    assert cells[11] == f"{np.mean(shares):.3f} ± {np.std(shares, ddof=1):.3f}"
    assert cells[13] == f"{np.mean(errors):.4f} ± {np.std(errors, ddof=1):.4f}"
    controls = read(results, "controls-digits")["results"]["label_spreading"]
    assert f"| {controls['nearest_labelled']['mean'][0]:.4f} |" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_the_figure_shows_every_ratio_and_setting(results):
    content = read(results, NAMES[0])
    content["results"]["life"] |= {"died": True, "died_at": 4}
    for number, name in enumerate(RATES.values()):
        named = content["identity"] | {"case": name, "seed": number}
        path = results / f"{name}-seed{number}.json"
        path.write_text(json.dumps(content | {"identity": named}))
    runs, _, _ = read_study(results)
    panels = figure(runs).subfigs[0].axes
    curve = content["results"]["curve"]
    for panel, (ratio, name) in zip(panels, RATES.items(), strict=False):
        assert panel.get_title().endswith(f": {ratio}")
        fakes = [line for line in panel.lines if line.get_color() == "C1"]
        assert len(fakes) == len(runs[name])
        np.testing.assert_array_equal(fakes[0].get_ydata(), curve["d_fake"])
        assert any(list(line.get_xdata()) == [4, 4] for line in panel.lines)
    (bars,) = figure(runs).subfigs[1].axes
    assert [label.get_text() for label in bars.get_xticklabels()] == list(runs)
    assert len(bars.patches) == len(runs)


def test_diverged_runs_and_routings_are_reported(results):
    path = results / f"{NAMES[2]}.json"
    content = read(results, NAMES[2])
    empty = {"step": [], "d_real": [], "d_fake": []}
    content["results"] |= {"measured": None, "curve": empty, "diverged": "d_loss is nan"}
    content["results"]["life"] = life(empty, None)
    path.write_text(json.dumps(content))
    runs, controls, _ = read_study(results)
    pair = {"routings": [1, 3], "steps": 2, "numbers": 1234, "different": 0}
    proof = {"results": {name: pair for name in ("package", "computed", "leaky")}}
    text = markdown(runs, controls, proof)
    assert "1 of 1 (after step 0)" in text
    assert "1 and 3: 0 of 1,234" in text
    assert len(figure(runs).subfigs) == 2


def test_wrong_arguments_and_results_are_one_line(made, results, tmp_path, capsys):
    def error(*arguments):
        assert study.main(list(map(str, arguments))) == 2
        return capsys.readouterr().err

    assert "invalid choice: 'none'" in error("--only", "none")
    assert "`steps` must be a multiple" in error("--steps", 75)
    assert "`seeds` must be a whole number" in error("--seeds", 0)
    assert "holds no runs of the study" in error("--report", "--output", tmp_path / "empty")
    content = read(results, NAMES[0])
    content["identity"]["sizes"]["steps"] = 8
    (results / f"{NAMES[0]}.json").write_text(json.dumps(content))
    assert "of different sizes" in error("--report", "--output", results)
    (results / f"{NAMES[0]}.json").write_text("{")
    message = error("--report", "--output", results)
    assert "could not be read" in message
    assert message.count("\n") == 1


def test_precision_goes_on_as_the_runs_that_are_there(made):
    assert study._precision("auto", made) == "float32"
    assert study._precision("mixed_bfloat16", made) == "mixed_bfloat16"
