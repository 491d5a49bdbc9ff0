"""Store the networks of finished runs in the package, or make a folder of one to share.

    python -m experiments.publish runs/mnist/capsule-seed0 runs/mnist/convolutional-seed0 \\
        --results results/mnist

Each run's networks go to capsgan_keras/pretrained/<data set>/<model>/, with kernels in float16 and
without optimizers, at most 8 MB, with a model card, a grid of images and the run's records. The
images of what is stored are compared with those of the run, and the largest difference of a pixel
is written down. With --results, so is what the evaluations in that folder measured of the run.

What is stored is a run directory too, which `experiments.gam` and the other evaluations take by its
name, such as mnist/capsule.

    python -m experiments.publish runs/faces/capsule-seed0 --to faces-capsgan

This makes a folder ready to be pushed to a model hub: both networks as they were trained, without
optimizers, in Keras's own form of a folder, with a model card, pictures and the run's records.
`load_pretrained("faces-capsgan")` loads it, and from a hub
`keras.saving.load_model("hf://OWNER/NAME")`.

Time: half a minute for a run on MNIST and 2 CPU cores.
"""

import sys

from experiments.command_line.arguments import new_parser, path
from experiments.command_line.running import parse_and_run

COMPARED_IMAGES = 10_000


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = new_parser("publish", __doc__)
    parser.add_argument("runs", nargs="+", type=path, metavar="RUN", help="a finished run's folder")
    parser.add_argument("--results", type=path, help="folder with the results of their evaluation")
    parser.add_argument(
        "--output", type=path, help="folder to store in (default: the package's own)"
    )
    parser.add_argument(
        "--to", type=path, metavar="FOLDER", help="folder to make of one run, to be shared"
    )
    parser.add_argument(
        "--license", help="with --to, the networks' licence as the hub names it (default: unknown)"
    )
    parser.add_argument(
        "--images",
        type=int,
        help=f"images that are compared (default: {COMPARED_IMAGES})",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace networks that are stored already"
    )

    def work(arguments):
        # Here and not above: --help must not wait for Keras.
        from experiments.publishing.sharing import share
        from experiments.publishing.storing import publish

        values = vars(arguments)
        sharing = {name: values.pop(name) for name in ("to", "license")}
        if sharing["to"] is None:
            if sharing["license"] is not None:
                raise ValueError("--license goes with --to. The package's networks have its own")
            if values["images"] is None:
                values["images"] = COMPARED_IMAGES
            lines = publish(**values)
        else:
            # Networks that are not rounded need no comparison.
            for name in ("output", "images"):
                if values.pop(name) is not None:
                    raise ValueError(f"--to and --{name} exclude each other")
            lines = share(**values, **sharing)
        for line in lines:
            print(line)

    return parse_and_run(parser, argv, work, "Folders that were named are whole.")


if __name__ == "__main__":
    sys.exit(main())
