import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import keras
import numpy as np
import pytest
from matplotlib.image import imread

from capsgan_keras import load_dataset
from capsgan_keras.evaluation import ClassifierSettings, semi_supervised_error
from capsgan_keras.routing import choice
from capsgan_keras.runs.lock import working
from capsgan_keras.training.batches import EpochBatches
from experiments.errors import EvaluationError
from experiments.mnist import TUNED
from experiments.study import __main__ as study
from experiments.study import runner
from experiments.study.cases import BASE, CASES, RATES
from experiments.study.measures import border_contrast, life, recognition
from experiments.study.records import read_study
from experiments.study.report import figure, page
from experiments.training.networks import build_gan

PUBLISHED = Path(__file__).parents[3] / "results" / "study"
DIGITS = load_dataset("digits")
TINY = {"dataset": "digits", "batch_size": 32, "latent_dim": 4, "generator_filters": (4, 4)}
TINY |= {"capsule_filters": (4,), "convolutional_filters": (4,), "n_channels": 1}
SIZES = {"steps": 6, "every": 2, "n_samples": 40, "n_unlabelled": 30, "n_labelled": 20}
SIZES |= {"draws": 2, "proof_steps": 2}
OPTIONS = ["--precision", "float32", "--verbose", "0", "--seeds", "2"]
OPTIONS += [f"--{name.replace('_', '-')}={value}" for name, value in SIZES.items()]
ONLY = "capsule-margin", "convolutional-least-squares"
NAMES = ["capsule-margin-seed0", "capsule-margin-seed1", "convolutional-least-squares-seed0"]
BY_NAME = {case.name: case for case in CASES}
ON_MNIST = [case for case in CASES if case.settings.dataset == "mnist"]
EMPTY = {"step": [], "d_real": [], "d_fake": []}


def tiny(name, max_seeds=None, **values):
    settings = dataclasses.replace(BY_NAME[name].settings, precision="float32", **TINY | values)
    return dataclasses.replace(BY_NAME[name], settings=settings, max_seeds=max_seeds)


@pytest.fixture(scope="module")
def run_study(tmp_path_factory):
    """Run the command on two small cases on digits; returns the exit status."""
    common = [*OPTIONS, f"--cache-dir={tmp_path_factory.mktemp('classifiers')}"]
    cases, quick = (tiny(ONLY[0]), tiny(ONLY[1], 1)), ClassifierSettings(width=4, epochs=1)

    def call(folder, *options, only=ONLY):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner, "CASES", cases)
            patch.setattr(runner, "BASE", cases[0].settings)
            patch.setattr(ClassifierSettings, "for_images", lambda *_: quick)
            return study.main([*common, f"--output={folder}", *options, "--only", *only])

    return call


@pytest.fixture(scope="module")
def made(run_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "results"
    assert run_study(folder) == 0
    return folder


@pytest.fixture
def results(made, tmp_path):
    return shutil.copytree(made, tmp_path / "results")


def read(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def write(folder, name, content):
    (folder / f"{name}.json").write_text(json.dumps(content))


def changes(name, base):
    base, settings = (dataclasses.asdict(each) for each in (base, BY_NAME[name].settings))
    return {key: value for key, value in settings.items() if value != base[key]}


def test_the_study_is_no_larger_than_it_was_to_be():
    """At most 14 settings of 3 runs: 13 on MNIST, and one question on CIFAR-10 with one seed."""
    others = [case for case in CASES if case not in ON_MNIST]
    assert len(ON_MNIST) == 13
    assert {case.max_seeds for case in ON_MNIST} == {None}
    assert [(case.settings.dataset, case.max_seeds) for case in others] == [("cifar10", 1)] * 2
    assert len({case.question for case in others}) == 1
    assert 3 * len(ON_MNIST) + len(others) <= 14 * 3
    assert len(BY_NAME) == len(CASES)


def test_each_setting_and_ratio_of_rates_is_what_it_is_called():
    for model, changed in (("capsule", {}), ("convolutional", {"model": "convolutional"})):
        assert changes(f"{model}-margin", BASE) == changed
        for loss in ("cross-entropy", "least-squares"):
            assert changes(f"{model}-{loss}", BASE) == changed | {"loss": loss}
    assert changes("wide-capsules", BASE) == {"n_channels": 2, "primary_dim_capsule": 64}
    assert changes("batch-norm", BASE) == {"capsule_batch_norm": True}
    assert changes("leaky-routing", BASE) == {"routing": "leaky"}
    assert changes("two-capsules", BASE) == {"num_capsule": 2}
    base = BY_NAME["cifar10-same"].settings
    assert changes("cifar10-valid", base) == {"capsule_padding": "valid"}
    assert changes("capsule-margin", TUNED).keys() <= {
        *("model", "loss", "settings", "capsule_learning_rate", "convolutional_learning_rate"),
        *("latent_dim", "latent_categories", "learn_category_shares"),
        *("beta_1", "beta_2", "decay", "generator_ema"),
        *("convolutional_batch_norm", "capsule_filters"),
        "epochs",  # the steps are counted by the study
    }
    assert (BASE.beta_1, BASE.beta_2, BASE.decay) == (0.5, 0.999, 0.0)
    assert (BASE.latent_dim, BASE.latent_categories, BASE.generator_ema) == (32, 0, 0.0)
    assert BASE.capsule_filters == (64, 128)
    ratios = {}
    for case in ON_MNIST:
        rate = getattr(case.settings, f"{case.settings.model}_learning_rate")
        ratios[case.name] = rate / case.settings.generator_learning_rate
    for title, name in RATES.items():
        top, _, bottom = title.partition("/")
        assert ratios.pop(name) == pytest.approx(int(top) / int(bottom or 1))
    assert set(ratios.values()) == {0.25}


def test_noise_in_one_class_is_recognised_in_proportion_to_that_class_only():
    y_real = np.repeat([0, 1, 2, 3], [4, 3, 2, 1])
    noise = np.tile([0.01, 0.97, 0.01, 0.01], (20, 1))
    measured = recognition(noise, y_real)
    assert measured["confident"] == 1.0
    assert measured["in_proportion"] == pytest.approx(0.3)
    assert measured["class_entropy"] == 0.0
    assert recognition(np.eye(4)[y_real], y_real)["in_proportion"] == pytest.approx(1.0)
    unsure = np.where(np.arange(10)[:, np.newaxis] < 5, np.eye(4)[y_real], 0.25)
    assert recognition(unsure, y_real)["in_proportion"] == pytest.approx(0.5)


def test_a_frame_has_no_contrast():
    images = np.random.default_rng(0).integers(0, 256, (400, 8, 8, 1), dtype=np.uint8)
    assert border_contrast(images) == pytest.approx(np.sqrt((256**2 - 1) / 12), rel=0.02)
    images[:, :2], images[:, -2:], images[:, :, :2], images[:, :, -2:] = 9, 9, 9, 9
    assert border_contrast(images) == 0.0
    images[::2, :2], images[1::2, :2] = 0, 40  # 16 of 48 pixels of the border
    assert border_contrast(images) == pytest.approx(np.sqrt(20.0**2 / 3))


def test_who_is_dead_and_since_when():
    falling = [0.5] * 5 + [0.1, 0.3] + [0.05] * 13
    curve = {"step": list(range(10, 210, 10)), "d_real": [0.9] * 20, "d_fake": falling}
    poor, good = {"in_proportion": 0.1}, {"in_proportion": 0.7}
    assert life(curve, poor) == {"d_real": 0.9, "d_fake": 0.05, "died": True, "died_at": 70}
    assert life(curve, good) == {"d_real": 0.9, "d_fake": 0.05, "died": False, "died_at": None}
    alive = curve | {"d_fake": falling[::-1]}
    assert life(alive, poor) == {"d_real": 0.9, "d_fake": 0.5, "died": False, "died_at": None}
    assert life(curve | {"d_fake": [0.1] * 20}, poor)["died_at"] == 0
    assert life(EMPTY, None) == {"d_real": None, "d_fake": None, "died": True, "died_at": 0}


def test_published_runs_are_taken_up_and_reported_as_they_are(tmp_path, monkeypatch):
    folder = shutil.copytree(PUBLISHED, tmp_path / "study")
    stored = {n: read(folder, f"controls-{n}")["identity"]["dataset"] for n in ("mnist", "cifar10")}
    images = {name: SimpleNamespace(**each, x_train=None) for name, each in stored.items()}
    monkeypatch.setattr(runner, "load_dataset", lambda name, _: images[name])
    monkeypatch.setattr(runner, "load_or_train_classifier", lambda *_, **__: None)
    assert study.main(["--resume", f"--output={folder}"]) == 0
    assert sum(map(len, read_study(folder).runs.values())) == 41
    for path in PUBLISHED.iterdir():
        if path.suffix != ".png":
            assert (folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_run_that_diverges_is_recorded_as_dead():
    settings = tiny(ONLY[0], generator_learning_rate=1e38).settings
    _, curve, diverged = runner.train(settings, "float32", DIGITS.x_train, 6, 2)
    assert "not finite" in diverged or "nan" in diverged
    assert len(curve["step"]) < 3
    assert life(curve, None)["died"]


@pytest.fixture(scope="module")
def compared():
    """Compare routings once, since six networks are compiled; also returns the calls of routing."""
    real = choice.route_inputs
    with mock.patch.object(choice, "route_inputs", wraps=real) as routed:
        results = runner.compare_routings(tiny(ONLY[0]).settings, "float32", DIGITS.x_train, 2)
    return results, routed


def test_routings_with_one_capsule_change_no_bit(compared):
    results, routed = compared
    pairs = {"package": [1, 3], "computed": [2, 3], "leaky": [2, 3]}
    assert {name: pair["routings"] for name, pair in results.items()} == pairs
    assert results["package"]["different"] == results["computed"]["different"] == 0
    options = {(call.kwargs["leaky"], call.kwargs["routings"]) for call in routed.call_args_list}
    assert options == {(False, 2), (False, 3), (True, 2), (True, 3)}
    assert results["leaky"]["different"] > results["leaky"]["numbers"] / 2 > 500


def test_every_run_is_recorded(made):
    assert {path.stem for path in made.glob("*.json")} == {*NAMES, "controls-digits"}
    content = read(made, NAMES[1])
    identity, results = content["identity"], content["results"]
    assert content["finished"]
    assert identity["case"] == "capsule-margin"
    assert identity["settings"]["seed"] == identity["seed"] == 1
    assert identity["settings"]["loss"] == "margin"
    assert "epochs" not in identity["settings"]
    assert identity["sizes"] == SIZES | {"seed": 0}
    keras.utils.set_random_seed(1)
    settings = dataclasses.replace(tiny(ONLY[0]).settings, seed=1)
    gan = build_gan(settings, "capsule", DIGITS.image_shape)
    batches, steps = EpochBatches(DIGITS.x_train, settings.batch_size, seed=1), []
    for index in range(6):
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
    spreading = semi_supervised_error(images[:30], *DIGITS, n_labelled=(20,), draws=2)
    assert results["measured"]["label_spreading"]["errors"] == spreading.errors.tolist()
    assert results["seconds"]["training"] > 0
    least_squares = read(made, NAMES[2])
    assert least_squares["results"]["equilibrium"] == 0.5
    assert least_squares["identity"]["settings"]["loss"] == "least-squares"


def test_an_interrupted_study_goes_on(made, run_study, tmp_path, monkeypatch, capsys):
    folder, train = tmp_path / "results", runner.train
    first = folder / f"{NAMES[0]}.json"

    def interrupted(*arguments):
        if first.exists():
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(runner, "train", interrupted)
    assert run_study(folder, only=ONLY[:1]) == 130
    assert "--resume goes on" in capsys.readouterr().err
    assert list(folder.glob("*.json")) == [first]
    before = first.read_bytes()
    assert runner.choose_precision("auto", folder) == "float32"
    assert runner.choose_precision("mixed_bfloat16", folder) == "mixed_bfloat16"
    monkeypatch.setattr(runner, "train", train)
    assert run_study(folder, only=ONLY[:1]) == 2
    assert "holds results already. Go on with them by --resume" in capsys.readouterr().err
    assert run_study(folder, "--resume", only=ONLY[:1]) == 0
    assert first.read_bytes() == before
    for name in NAMES[:2]:
        here, there = read(folder, name), read(made, name)
        there["results"]["seconds"] = here["results"]["seconds"]
        assert here == there


@pytest.mark.filterwarnings("ignore:`unlabelled` holds images that are all alike")
def test_a_study_of_other_sizes_is_refused_or_replaced(results, run_study, capsys):
    before = (results / f"{NAMES[2]}.json").read_bytes()
    assert run_study(results, "--resume", "--steps", "4", only=ONLY[1:]) == 2
    assert "sizes.steps: 6, 4" in capsys.readouterr().err
    assert (results / f"{NAMES[2]}.json").read_bytes() == before
    for name in NAMES[:2]:
        (results / f"{name}.json").unlink()
    assert run_study(results, "--overwrite", "--steps", "4", only=ONLY[1:]) == 0
    assert read(results, NAMES[2])["results"]["curve"]["step"] == [2, 4]


def test_routings_alone_are_reported_alone(run_study, compared, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(runner, "compare_routings", lambda *_: compared[0])
        assert run_study(tmp_path, only=["routings"]) == 0
    assert "routings 1 and 3: 0 of" in (tmp_path / "study.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"routings.json", "study.md"}
    monkeypatch.setattr(runner, "train", lambda *_: (None, None, "d_loss is nan"))
    assert run_study(tmp_path / "other", only=["routings"]) == 1
    assert "d_loss is nan" in capsys.readouterr().err


def test_the_report_is_made_from_json_alone(results, capsys):
    text = (results / "study.md").read_text()
    for name in ("study.md", "study.png"):
        (results / name).unlink()
    readme = results / "README.md"
    readme.write_text("Words.\n\n<!-- study -->\nold\n<!-- end of study -->\nMore.\n")
    assert study.main(["--report", f"--output={results}", "--readme", str(readme)]) == 0
    assert capsys.readouterr().out.startswith(text)
    assert (results / "study.md").read_text() == text
    assert imread(results / "study.png").shape[1] > 1000
    runs = [read(results, name)["results"] for name in NAMES[:2]]
    errors = [run["measured"]["label_spreading"]["mean"][0] for run in runs]
    shares = [run["measured"]["recognised"]["in_proportion"] for run in runs]
    table = [line for line in text.splitlines() if line.startswith("|")]
    (cells,) = [line.strip("| ").split(" | ") for line in table if "`capsule-margin`" in line]
    assert cells[4] == "2"
    assert cells[11] == f"{np.mean(shares):.3f} ± {np.std(shares, ddof=1):.3f}"
    assert cells[13] == f"{np.mean(errors):.4f} ± {np.std(errors, ddof=1):.4f}"
    controls = read(results, "controls-digits")["results"]["label_spreading"]
    assert f"| {controls['nearest_labelled']['mean'][0]:.4f} |" in text
    assert len({line.count("|") for line in table}) == 1
    filled = ["Words.", "", "<!-- study -->", *table, "<!-- end of study -->", "More."]
    assert readme.read_text().splitlines() == filled


def test_every_ratio_and_setting_is_shown_with_diverged_runs_and_routings(results):
    content = read(results, NAMES[2])
    content["results"] |= {"measured": None, "curve": EMPTY, "life": life(EMPTY, None)}
    write(results, NAMES[2], content)
    pair = {"routings": [1, 3], "steps": 2, "numbers": 1234, "different": 0}
    pairs = dict.fromkeys(("package", "computed", "leaky"), pair)
    content |= {"format": "capsgan_keras study routings 1", "results": pairs}
    write(results, "routings", content)
    content = read(results, NAMES[0])
    content["results"]["life"] |= {"died": True, "died_at": 4}
    for number, name in enumerate(RATES.values()):
        content["identity"] |= {"case": name, "seed": number}
        write(results, f"{name}-seed{number}", content)
    made = read_study(results)
    assert "1 of 1 (after step 0)" in page(made)
    assert "1 and 3: 0 of 1,234" in page(made)
    panels, (bars,) = (part.axes for part in figure(made).subfigs)
    for panel, (ratio, name) in zip(panels, RATES.items(), strict=False):
        assert panel.get_title().endswith(f": {ratio}")
        fakes = [line for line in panel.lines if line.get_color() == "C1"]
        assert len(fakes) == len(made.runs[name])
        np.testing.assert_array_equal(fakes[0].get_ydata(), content["results"]["curve"]["d_fake"])
        assert any(list(line.get_xdata()) == [4, 4] for line in panel.lines)
    assert [label.get_text() for label in bars.get_xticklabels()] == list(made.runs)
    assert len(bars.patches) == len(made.runs)


def test_wrong_arguments_and_results_are_one_line(results, tmp_path, capsys):
    def error(*arguments):
        assert study.main(list(map(str, arguments))) == 2
        return capsys.readouterr().err

    report = "--report", "--output", results
    assert "invalid choice: 'none'" in error("--only", "none")
    assert "`steps` must be a multiple of `every`, 50" in error("--steps", 75)
    assert "`every` must be a whole number of at least 1" in error("--every", 0)
    assert "`draws` must be" in error("--draws", 0)
    assert "`seeds` must be a whole number" in error("--seeds", 0)
    assert "holds no runs of the study" in error("--report", "--output", tmp_path / "empty")
    assert "no file with a part <!-- study -->" in error(*report, "--readme", results / "study.md")
    content = read(results, NAMES[0])
    content["identity"]["sizes"]["steps"] = 8
    write(results, NAMES[0], content)
    assert "of different sizes" in error(*report)
    content["results"]["life"]["died"] = 1
    write(results, NAMES[0], content)
    assert "results.life.died: must be of type bool. Received: 1" in error(*report)
    (results / f"{NAMES[0]}.json").write_text("{")
    message = error(*report)
    assert "could not be read" in message
    assert message.count("\n") == 1


def test_a_file_that_another_process_writes_is_left_alone(run_study, tmp_path, capsys):
    with working(tmp_path / f".lock-{runner.PROOF}.json"):
        assert run_study(tmp_path, only=[runner.PROOF]) == 2
    assert "is being written by process" in capsys.readouterr().err
    assert not list(tmp_path.glob("[!.]*.json"))


def test_what_a_kill_leaves_of_a_writer_is_no_record(tmp_path):
    shutil.copytree(PUBLISHED, tmp_path / "study")
    for name in (".lock-capsule-margin-seed0.json", ".writing-capsule-margin-seed0.json"):
        (tmp_path / "study" / name).write_text("", encoding="utf-8")
    assert read_study(tmp_path / "study") == read_study(PUBLISHED)
    assert runner.choose_precision("auto", tmp_path / "study") == "mixed_bfloat16"


@pytest.mark.parametrize("name", ["controls-mnist", f"{ONLY[0]}-seed0"])
def test_a_copy_under_another_name_is_not_counted(tmp_path, name):
    folder = tmp_path / "study"
    folder.mkdir()
    other = name.replace("mnist", "digits").replace("seed0", "seed7")
    shutil.copy(PUBLISHED / f"{name}.json", folder / f"{other}.json")
    shutil.copy(PUBLISHED / f"{ONLY[0]}-seed1.json", folder)
    with pytest.raises(EvaluationError, match=f"{other}.json: is of another name, {name}.json"):
        read_study(folder)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--n-labelled", "5", "`n_labelled` must be at least 7"),
        ("--draws", "99999999", "`draws` must be a whole number from 1 to 10000"),
    ],
)
def test_sizes_that_cannot_work_are_refused_at_the_start(tmp_path, capsys, option, value, message):
    assert study.main([option, value, "--output", str(tmp_path / "study")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "study").exists()
