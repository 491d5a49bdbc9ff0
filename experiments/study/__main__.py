"""Study what makes a CapsuleGAN work: one change at a time.

The paper (arXiv 1802.06167) changes the discriminator and its loss together. Here each case is one
change: of the loss, the discriminator D, its learning rate, its capsules, its routing or, on
CIFAR-10, its padding. Short trainings show to the bit that the number of routings changes nothing
with one final capsule. `experiments/study/cases.py` has all settings.

    python -m experiments.study
    python -m experiments.study --resume
    python -m experiments.study --report --readme docs/results/study.md

Each run leaves a JSON file as it ends. A run that was interrupted starts anew by --resume. study.md
and study.png are made from these files alone. In the files of --readme the table goes between
<!-- study --> and <!-- end of study -->.

Time on 2 CPU cores with bfloat16: 2 to 4 minutes a run, two hours for all 41. Before that, once, 2
minutes for MNIST's classifier and half an hour for CIFAR-10's, which `--only` may avoid.
"""

import sys
from pathlib import Path

from experiments.command_line.arguments import (
    add_settings,
    add_verbose,
    new_parser,
    path,
    settings_from,
)
from experiments.command_line.running import parse_and_run
from experiments.errors import EvaluationError
from experiments.settings.evaluations import CLASSIFIERS
from experiments.settings.fields import countable
from experiments.settings.training import PRECISIONS
from experiments.study.cases import CASES, PROOF, StudySizes

NAMES = (*(case.name for case in CASES), PROOF)


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = new_parser("study", __doc__, usage="%(prog)s [options]")
    add = parser.add_argument
    add("--seeds", type=int, default=3, help="runs of each case (default: 3)")
    only = f"of {', '.join(NAMES)} (default: all)"
    add("--only", nargs="+", metavar="NAME", choices=NAMES, default=NAMES, help=only)
    add_settings(parser, StudySizes(), leave_out=("seed",))
    add(
        "--output", type=path, default=Path("results/study"), help="folder (default: results/study)"
    )
    add("--resume", action="store_true", help="keep the runs that ended and make the others")
    add("--overwrite", action="store_true", help="as --resume; replace runs of other settings")
    add("--report", action="store_true", help="only make study.md and study.png from the files")
    add("--readme", type=path, nargs="+", default=(), help="Markdown files that get the table")
    add("--data-dir", type=path, help="as in experiments.mnist")
    cache = f"keeps the classifiers (default: {CLASSIFIERS})"
    add("--cache-dir", type=path, default=CLASSIFIERS, help=cache)
    precision = "as in experiments.mnist; auto goes on as runs that are there (default: auto)"
    add("--precision", choices=PRECISIONS, default="auto", help=precision)
    add_verbose(parser)
    kept = "Runs that ended are kept; the same command with --resume goes on."
    return parse_and_run(parser, argv, _work, kept)


def _work(arguments):
    sizes = settings_from(arguments, StudySizes())
    countable("seeds", arguments.seeds)
    folder = arguments.output
    # Here and not above: --help must not wait for Keras.
    from experiments.study.report import write_report
    from experiments.study.runner import run_study

    if not arguments.report:
        if any(folder.glob("[!.]*.json")) and not (arguments.resume or arguments.overwrite):
            raise EvaluationError(
                f"{folder}: holds results already. Go on with them by --resume, or choose another "
                "--output"
            )
        rest = "only", "seeds", "overwrite", "precision", "data_dir", "cache_dir", "verbose"
        run_study(folder, sizes, *(getattr(arguments, name) for name in rest))
    print(write_report(folder, arguments.readme))


if __name__ == "__main__":
    sys.exit(main())
