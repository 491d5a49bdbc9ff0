"""Make tables and figures of results, from their JSON files alone.

    python -m experiments.report results/
    python -m experiments.report runs/mnist/evaluation
    python -m experiments.report results/ --readme README.md docs/findings.md

Each folder below the given one that holds gam.json, semi_supervised.json or sample_quality.json
gets a report.md and its figures: grids of each generator's images (figures 1 and 2 of the paper,
arXiv 1802.06167), the metric of each pair and as a matrix, the error against the number of labels.
With --figure-format pdf or svg, the drawn figures are there in that format too. With --readme, the
parts of those files between

    <!-- report: mnist -->
    <!-- end of report -->

are replaced by the report of the folder that is named, and those between

    <!-- scores: mnist -->
    <!-- end of scores -->

by its short table, with the errors of the RBF kernel where the folder has them. Behind the first
folder others may be named, of other settings on the same images: theirs with that kernel are
added. Of these errors alone, of both models and computed alike,

    <!-- errors: mnist mnist/stack -->
    <!-- end of errors -->

makes one table. Its lines are called as the folders, or "ours" for that of the data set. Time:
seconds.
"""

import sys

from experiments.command_line.arguments import new_parser, path
from experiments.command_line.running import parse_and_run


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = new_parser("report", __doc__)
    parser.add_argument("folder", type=path, help="folder with result files, at any depth")
    parser.add_argument(
        "--readme", type=path, nargs="+", default=(), help="Markdown files whose parts are replaced"
    )

    parser.add_argument(
        "--figure-format",
        choices=("png", "pdf", "svg"),
        default="png",
        help="of drawn figures, beside the PNG files that report.md shows (default: png)",
    )

    def work(arguments):
        # Here and not above: --help must not wait for Keras.
        from experiments.reports.pages import write_reports

        print(write_reports(arguments.folder, arguments.readme, arguments.figure_format))

    return parse_and_run(parser, argv, work, "Reports that were written are whole.")


if __name__ == "__main__":
    sys.exit(main())
