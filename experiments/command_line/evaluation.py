"""The command line that the evaluations of finished runs share."""

from experiments.command_line.arguments import add_settings, add_verbose, new_parser, path
from experiments.command_line.logs import progress
from experiments.command_line.running import parse_and_run


def evaluation_parser(name, description, settings, leave_out=()):
    """Return a parser with the arguments that all evaluations take, and those of its settings.

    Args:
        name: The evaluation's name, of its command and its result file.
        description: The module's docstring.
        settings: The evaluation's settings, whose values are the defaults.
        leave_out: Names of fields of the settings without an option.
    """
    parser = new_parser(name, description)
    parser.add_argument(
        "runs",
        nargs="+",
        type=path,
        metavar="RUN",
        help="a finished run's folder, a shared one, or such as mnist/capsule, which comes with "
        "the package",
    )
    add_settings(parser, settings, leave_out)
    parser.add_argument("--data-dir", type=path, help="as in the experiment that made the runs")
    parser.add_argument(
        "--output",
        type=path,
        help=f"folder that gets {name}.json (default: evaluation/ beside the first run, and in it "
        "a folder named after the seeds of the runs, such as seed0/ or seeds0-2/)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a damaged file, or results of other runs or settings; never JSON that is no "
        "result of an evaluation",
    )
    add_verbose(parser)
    return parser


def evaluate_runs(name, parser, argv, evaluate):
    """Parse the arguments, read the runs, evaluate them and print the tables.

    Args:
        name: The evaluation's name; or a function of the parsed arguments that gives the name of
            the result file without `.json`.
        parser: What `evaluation_parser` returned.
        argv: Arguments; None for those of the process.
        evaluate: Function of the parsed arguments, the `FinishedRuns` and the result file's path
            that returns the text to print.

    Returns:
        The exit status: 0; 2 where arguments, runs or surroundings are wrong; 130 after an
        interrupt from the keyboard.
    """

    def work(arguments):
        # Here and not above: --help must not wait for Keras.
        from experiments.evaluations.finished_runs import load_finished_runs

        arguments.verbose = progress(arguments.verbose)
        runs = load_finished_runs(arguments.runs, arguments.data_dir)
        folder = arguments.output or runs.evaluation_folder
        file = folder / f"{name if isinstance(name, str) else name(arguments)}.json"
        print(evaluate(arguments, runs, file))
        print(f"In {file}")

    return parse_and_run(parser, argv, work, "What is finished is kept; the same command goes on.")
