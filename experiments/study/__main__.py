"""Study what makes a CapsuleGAN work: one change at a time from one setting on MNIST.

The paper (arXiv 1802.06167) changes the discriminator and its loss together. Here one setting, the
tuned networks with 32 latents, two wider convolutions in the capsule discriminator, Adam with 0.5
and 0.999 and constant rates (and DCGAN's normalization in the convolutional one), and 12 others are
trained on MNIST with 3 seeds and 3,000 steps each:

- margin loss, cross-entropy and least squares, each with the capsule discriminator (D) and with
  the convolutional one;
- the learning rate of D over that of the generator G: 1, 1/2, 1/4 (the base), 1/8;
- number and width of the primary capsules; batch normalization in D;
- leaky routing and two final capsules, where routing acts;

and same against valid padding in D on CIFAR-10, one seed. Short trainings besides show to the bit
that the number of routings changes nothing with one capsule. `experiments/study_settings.py` has
all settings.

    python -m experiments.study
    python -m experiments.study --resume
    python -m experiments.study --report

Every run leaves a JSON file in results/study/ as it ends: D's mean outputs over the steps, whether
the generator died (`experiments.study.measuring.life` says what that is), which share of its
images a classifier recognises, the error of label spreading with 100 labels, times. A run that was
interrupted starts anew by --resume; runs that ended stay. study.md (three sentences and a
table) and study.png are made from these files alone, at the end or by --report.

All outputs of D lie in [0, 1]: capsules end in a length, the convolutional D in a sigmoid. That
fits the margin loss, whose targets 0.1 and 0.9 lie inside, and cross-entropy, whose logarithm also
makes up for the vanishing slope of a short capsule's length. The least-squares GAN (Mao et al.,
arXiv 1611.04076) has a linear output; with the targets 0 and 1 its optimum, p / (p + q), lies in
[0, 1] all the same, but the sigmoid and the length flatten towards the ends, which a linear output
does not.

Time on 2 CPU cores with bfloat16: 2 to 3 minutes a run on MNIST with one capsule or the
convolutional D, 4 for two capsules and on CIFAR-10, about two hours for all 41 with their measures;
before that, once, 2 minutes for MNIST's classifier and half an hour for CIFAR-10's, which `--only`
with the names of other settings avoids.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

from experiments.command_line.arguments import INTERRUPTED, USAGE_ERROR
from experiments.command_line.logs import quiet_tensorflow
from experiments.settings.evaluations import CLASSIFIERS, result_format
from experiments.settings.training import PRECISIONS, whole
from experiments.study.cases import BASE, CASES, StudySizes

KIND, CONTROLS, ROUTINGS = map(result_format, ("study", "study controls", "study routings"))
PROOF = "routings"
"""Name of the comparison of routings, beside those of the cases."""


def main(argv=None):
    """Run the command line and return the exit status.

    Returns:
        0; 2 where arguments, results or surroundings are wrong; 130 after an interrupt from the
        keyboard.
    """
    command = _parser()
    try:
        arguments = command.parse_args(argv)
    except SystemExit as stop:
        return stop.code
    quiet_tensorflow()
    try:
        sizes = StudySizes(**{name: getattr(arguments, name) for name in _SIZES})
        whole(1)("seeds", arguments.seeds)
        from experiments.study.report import write_report

        folder = arguments.output.expanduser()
        if not arguments.report:
            run(arguments, sizes, folder)
        print(write_report(folder))
    except (ValueError, ArithmeticError, OSError) as error:
        print(f"{command.prog}: error: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Runs that ended are kept; the same command with --resume goes on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return 0


_SIZES = {
    "steps": "training steps of a run",
    "every": "steps to a point of the curves",
    "n_samples": "images of each generator that the classifier sees",
    "n_unlabelled": "images of each generator that label spreading has",
    "n_labelled": "labelled images that it has",
    "draws": "draws of these",
    "proof_steps": "training steps in the comparison of routings",
}


def _parser():
    command = argparse.ArgumentParser(
        prog="python -m experiments.study",
        usage="%(prog)s [options]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument("--seeds", type=int, default=3, help="runs of each setting (default: 3)")
    command.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=[*(case.name for case in CASES), PROOF],
        help=f"of {', '.join(case.name for case in CASES)}, {PROOF} (default: all)",
    )
    for name, text in _SIZES.items():
        default = getattr(StudySizes, name)
        command.add_argument(
            f"--{name.replace('_', '-')}",
            type=int,
            default=default,
            help=f"{text} (default: {default})",
        )
    command.add_argument(
        "--output", type=Path, default=Path("results/study"), help="folder (default: results/study)"
    )
    command.add_argument(
        "--resume", action="store_true", help="keep the runs that ended and make the others"
    )
    command.add_argument(
        "--overwrite",
        action="store_true",
        help="as --resume, and replace runs of other settings, which --resume refuses",
    )
    command.add_argument(
        "--report", action="store_true", help="only make study.md and study.png from the files"
    )
    command.add_argument("--data-dir", help="as in experiments.mnist")
    command.add_argument(
        "--cache-dir",
        type=Path,
        default=CLASSIFIERS,
        help=f"keeps the classifiers (default: {CLASSIFIERS})",
    )
    command.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="as in experiments.mnist; auto goes on as runs that are there (default: auto)",
    )
    command.add_argument(
        "--verbose", type=int, choices=(0, 1), default=1, help="0: no progress (default: 1)"
    )
    return command


def run(arguments, sizes, folder):
    """Train and measure what is missing.

    Args:
        arguments: Those of the command line.
        sizes: `StudySizes`.
        folder: Where the files go.

    Raises:
        EvaluationError: Where there are results already that are not to be kept, or that other
            settings made.
        ValueError: Where data are missing or do not fit, or a classifier is too poor.
        ArithmeticError: Where a training of the comparison of routings is not finite.
        OSError: Where a file cannot be written.
    """
    from experiments.errors import EvaluationError

    names = arguments.only or [*(case.name for case in CASES), PROOF]
    cases = [case for case in CASES if case.name in names]
    existing = sorted(folder.glob("*.json"))
    if existing and not (arguments.resume or arguments.overwrite):
        raise EvaluationError(
            f"{folder}: holds results already. Go on with them by --resume, or choose another "
            "--output"
        )
    study = _Study(arguments, sizes, folder, [case.settings.dataset for case in cases])
    if PROOF in names:
        study.prove()
    # All settings with one seed, then with the next: an interrupted study compares them too.
    for seed in range(arguments.seeds):
        for case in cases:
            if case.max_seeds is None or seed < case.max_seeds:
                study.make(case, seed)
    study.measure_controls()


class _Study:
    """Makes the files of a study, each where it is missing."""

    def __init__(self, arguments, sizes, folder, datasets):
        from capsgan_keras import load_dataset
        from experiments.study.measuring import Judge

        self._arguments, self._sizes, self._folder = arguments, sizes, folder
        self._policy = _precision(arguments.precision, folder)
        # What is missing or too poor shows before the first training.
        self._datasets = {
            name: load_dataset(name, arguments.data_dir)
            for name in dict.fromkeys([*datasets, BASE.dataset])
        }
        self._judges = {
            name: Judge(self._datasets[name], sizes, arguments.cache_dir, arguments.verbose)
            for name in dict.fromkeys(datasets)
        }

    def _file(self, name, kind, dataset, identity):
        from experiments.evaluations.result_file import ResultFile

        data = self._datasets[dataset]
        identity = identity | {
            "dataset": {"name": data.name, "checksum": data.checksum},
            "sizes": dataclasses.asdict(self._sizes),
        }
        path = self._folder / f"{name}.json"
        return ResultFile(path, kind, identity, self._arguments.overwrite)

    def _describe(self, settings):
        """Return what tells runs of some settings apart; their length is that of the study."""
        settings = settings.identity(settings.model) | {"precision": self._policy}
        del settings["epochs"], settings["validation"]  # it never holds images out
        return {"settings": settings}

    def prove(self):
        """Compare numbers of routings, where that has not been done."""
        from experiments.study.routing import compare_routings

        file = self._file(PROOF, ROUTINGS, BASE.dataset, self._describe(BASE))
        if not file.finished:
            images = self._datasets[BASE.dataset].x_train
            file.results = compare_routings(BASE, self._policy, images, self._sizes)
            file.write(finished=True)
            print(f"numbers of routings compared, in {file.path}")

    def measure_controls(self):
        """Measure what stands beside the generators, where that has not been done."""
        for name, judge in self._judges.items():
            file = self._file(f"controls-{name}", CONTROLS, name, {})
            if not file.finished:
                file.results = judge.controls() | {"classifier": judge.classifier.info}
                file.write(finished=True)

    def make(self, case, seed):
        """Train and measure one case with one seed, where that has not been done."""
        settings = dataclasses.replace(case.settings, seed=seed)
        name = f"{case.name}-seed{seed}"
        identity = {"case": case.name, "seed": seed} | self._describe(settings)
        file = self._file(name, KIND, settings.dataset, identity)
        if file.finished:
            return
        print(f"{name}: {self._sizes.steps:,} steps ...", flush=True)
        file.results = self._results(settings)
        file.write(finished=True)
        results = file.results
        print(f"  {results['seconds']['training']:.0f} s, in {file.path}", flush=True)

    def _results(self, settings):
        import time

        from experiments.study.measuring import life
        from experiments.study.training import start, train
        from experiments.training.networks import equilibrium

        dataset = self._datasets[settings.dataset]
        gan = start(settings, self._policy, dataset.image_shape, self._sizes.steps)
        training = train(gan, settings, dataset.x_train, self._sizes)
        started = time.perf_counter()
        measured = None
        if training.diverged is None:
            measured = self._judges[settings.dataset].measure(gan)
        return {
            "curve": training.curve,
            "equilibrium": equilibrium(gan.loss),
            "diverged": training.diverged,
            "life": life(training.curve, measured and measured["recognised"]),
            "measured": measured,
            "parameters": {
                "generator": gan.generator.count_params(),
                "discriminator": gan.discriminator.count_params(),
            },
            "seconds": {
                "training": round(training.seconds, 2),
                "measuring": round(time.perf_counter() - started, 2),
            },
        }


def _precision(requested, folder):
    """Return a dtype policy: with auto that of the runs that are there, else the machine's."""
    from experiments.evaluations.result_file import read_results
    from experiments.training.precision import resolve_precision

    if requested == "auto":
        for path in sorted(folder.glob("*-seed*.json")):
            return read_results(path, KIND)["identity"]["settings"]["precision"]
    return resolve_precision(requested)[0]


if __name__ == "__main__":
    sys.exit(main())
