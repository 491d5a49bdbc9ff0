"""What evaluations say of one run, for its model card."""

from experiments.reports.error_tables import errors
from experiments.reports.metric_tables import RATIOS, cut_title
from experiments.reports.quality_tables import MEASURES, measure
from experiments.reports.text import number


def run_summary(checksum, evaluations):
    """Return what evaluations say of one run.

    Args:
        checksum: SHA-256 of the run's networks.
        evaluations: `experiments.reports.folders.Evaluations`, all of them of this run too.

    Returns:
        Dictionary from the name of a measure to a text.
    """
    summary = {}

    def name_in(results):
        return next(run.name for run in results.runs if run.gan_checksum == checksum)

    if evaluations.gam is not None:
        name = name_in(evaluations.gam)
        for pair in evaluations.gam.pairs:
            if name in (pair.a, pair.b):
                ratios = [
                    number(getattr(pair.result, r), ".3f", getattr(pair.result, f"{r}_interval"))
                    for r in RATIOS
                ]
                title = f"{pair.a} against {pair.b}, cut {cut_title(pair)}: r_samples, r_test"
                summary[title] = ", ".join(ratios)
    if evaluations.semi_supervised is not None:
        tables = evaluations.semi_supervised.tables
        numbers = evaluations.semi_supervised.settings["n_labelled"]
        name = name_in(evaluations.semi_supervised)
        rows = zip(numbers, errors([tables[name]]), errors([tables["labels_only"]]), strict=True)
        for n, error, without in rows:
            title = f"error of label spreading, n = {n:,} (on the labels alone)"
            summary[title] = f"{error} ({without})"
    if evaluations.sample_quality is not None:
        quality = evaluations.sample_quality.quality[name_in(evaluations.sample_quality)]
        images = evaluations.sample_quality.test_images
        summary |= {t.format(test_images=images): measure(t, [quality]) for t in MEASURES}
        summary[f"accuracy of that classifier on {images}"] = (
            f"{quality.classifier['test_accuracy']:.2%}"
        )
    return summary
