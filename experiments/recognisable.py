"""How many of a run's samples a classifier recognises: "recognisable" as a number.

Not in the paper, which judges by eye. A classifier is trained on the run's real images (once; it
is kept in the cache folder) and classifies 10,000 generated images of each run: the share that
gets a class with confidence above 0.9, and the share of each class.

    python -m experiments.recognisable runs/mnist/capsule-seed0 runs/mnist/convolutional-seed0

Time: about 2 minutes on 2 CPU cores with MNIST, most of it for the classifier, which is kept.
"""

import argparse
import json
import os
import sys
from pathlib import Path

CONFIDENCE = 0.9


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.recognisable",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run")
    parser.add_argument("--samples", type=int, default=10_000, help="images of each run (10000)")
    parser.add_argument("--seed", type=int, default=0, help="sets the latents (0)")
    parser.add_argument("--data-dir", help="as in the experiment that made the runs")
    parser.add_argument(
        "--cache-dir", default="runs/classifiers", help="keeps the classifier (runs/classifiers)"
    )
    parser.add_argument("--output", help="also write the figures to this JSON file")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        results = measure(arguments)
        if arguments.output:
            from capsgan_keras.files import write_json

            write_json(Path(arguments.output), results)
    except (ValueError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(results, indent=2))
    return 0


def measure(arguments):
    """Return the figures of all runs as a dictionary.

    Raises:
        ValueError: Where a run, its data or the classifier cannot be had or do not fit.
    """
    from capsgan_keras import load_dataset, load_run
    from capsgan_keras.evaluation.class_shares import class_shares, confident_shares
    from capsgan_keras.evaluation.classifier_store import load_or_train_classifier

    runs = [load_run(path) for path in arguments.runs]
    sources = {json.dumps(run.config["dataset"], sort_keys=True) for run in runs}
    if len(sources) != 1:
        raise ValueError(
            "The runs must be of the same images. Received: "
            + ", ".join(sorted({run.config["dataset"]["name"] for run in runs}))
        )
    described = runs[0].config["dataset"]
    dataset = load_dataset(
        described["source"], arguments.data_dir, runs[0].config["settings"]["image_size"]
    )
    if dataset.checksum != described["checksum"]:
        raise ValueError(
            f"{described['source']}: these are not the images that the runs were trained on. "
            f"Received: checksum {dataset.checksum}"
        )
    classifier = load_or_train_classifier(dataset, arguments.cache_dir)
    results = {
        "dataset": dataset.name,
        "classifier_test_accuracy": classifier.info["test_accuracy"],
        "samples": arguments.samples,
        "seed": arguments.seed,
        "confidence": CONFIDENCE,
        "runs": {},
    }
    for run in runs:
        images = run.gan.generate(arguments.samples, seed=arguments.seed)
        probabilities, _ = classifier(images)
        results["runs"][run.path.name] = {
            "confident": confident_shares(probabilities, threshold=CONFIDENCE).confident,
            "class_shares": [round(float(share), 4) for share in class_shares(probabilities)],
        }
    return results


if __name__ == "__main__":
    sys.exit(main())
