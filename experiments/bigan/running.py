"""Training of all BiGANs that the settings ask for, and the evaluation of their codes."""

from capsgan_keras.runs import RunDirectory
from capsgan_keras.terminal import progress
from experiments.bigan.report import write_report
from experiments.evaluations.codes import check_codes, evaluate_codes
from experiments.evaluations.finished_runs import load_finished_runs
from experiments.settings.encoders import CODES
from experiments.training.train import load_training_images, train


def train_and_measure(settings, codes):
    """Train what is not trained yet, measure the codes of all runs, and return what to say.

    Args:
        settings: `experiments.settings.encoders.EncoderSettings`.
        codes: `experiments.settings.encoders.CodeSettings`.

    Raises:
        ValueError: Where settings, images, runs or results do not fit each other.
        DivergedError: Where training diverges.
        OSError: Where files cannot be read or written.
    """
    dataset = load_training_images(settings)
    evaluate = settings.evaluate is not False
    trained = train(settings, dataset, (lambda: check_codes(codes, dataset)) if evaluate else None)
    if trained is None:  # another worker has the runs
        return ""
    paths = [each.run_path(model) for model in settings.models for each in settings.by_seed]
    if not evaluate:
        return "\n".join(["Trained:", *(f"  {path}" for path in paths)])
    missing = [str(path) for path in paths if not RunDirectory(path).finished]
    if missing:
        return f"Not evaluated. Not there yet: {', '.join(missing)}"
    runs = load_finished_runs(paths, settings.data_dir, trained)
    path = runs.evaluation_folder / f"{CODES}.json"
    print(f"\nErrors from codes, in {path}")
    results = evaluate_codes(runs, codes, path, settings.overwrite, progress(settings.verbose))
    return write_report(results, runs, path.parent)
