"""Train both GANs on scikit-learn's handwritten digits, which need no download.

Not in the paper: a first look at section 5's comparison, in minutes. 1,437 real digits, resized
from 8x8 to 28x28.

    python -m experiments.digits

Expected: digits most of which a person recognises, and the metric and the table at small sizes. The
errors of that table are worse than the nearest labelled image's: with so few images many a test
image is reached by no label.
Time: about 2.5 minutes on 2 CPU cores with bfloat16.
"""

import sys

from experiments.command_line import training
from experiments.settings.evaluations import Evaluation, MetricSettings, TableSettings
from experiments.settings.training import tuned

DIGITS = tuned("digits", epochs=60)
EVALUATION = Evaluation(
    metric=MetricSettings(n_samples=2_000),
    table=TableSettings(n_labelled=(50, 100, 500), n_unlabelled=5_000),
)


def main(argv=None):
    """Run the command line and return the exit status."""
    return training.main("digits", (DIGITS,), EVALUATION, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
