"""Write images of a generator: a folder of PNG files, an .npz file, or one picture.

    python -m experiments.sample mnist/capsule --output samples/mnist
    python -m experiments.sample runs/digits/capsule-seed0 --n 10000 --output samples.npz
    python -m experiments.sample runs/digits/capsule-seed0 --output grid.png

NETWORKS is the folder of a run, finished or not, of which the newest checkpoint is taken; a folder
that `python -m experiments.publish --to` has made; a .keras file of a GAN or of a generator; or
<data set>/<model> of what comes with the package, such as mnist/capsule. The ending of --output
decides: .npz is a file with the uint8 array arr_0 of shape (n, height, width, channels), .png a
picture with all images in a grid, anything else a folder.

The images come block by block, so that memory does not grow with their number. Image k of a seed is
the same for every --n. A folder that was interrupted is completed by the same command; a larger --n
adds images. Images of other networks, seeds or truncations are never mixed with them.

Time: on 2 CPU cores two minutes for 50,000 images of MNIST's generator.
"""

import sys
from pathlib import Path

from experiments.command_line.arguments import add_verbose, new_parser, path
from experiments.command_line.logs import progress
from experiments.command_line.running import parse_and_run
from experiments.settings.fields import whole_number

N, N_OF_GRID = 50_000, 100
NO_FOLDERS = {
    ".bmp",
    ".gif",
    ".h5",
    ".jpeg",
    ".jpg",
    ".keras",
    ".npy",
    ".tif",
    ".tiff",
    ".webp",
    ".zip",
}
"""Endings of files that this command does not write; nobody means a folder by them."""


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = new_parser("sample", __doc__)
    add = parser.add_argument
    add(
        "networks",
        metavar="NETWORKS",
        help="a run's folder, a shared one, a .keras file, or such as mnist/capsule",
    )
    add("--output", type=path, required=True, help="folder, .npz file, or .png file for one grid")
    add(
        "--n", type=int, help=f"images (default: {N:,}, as evaluations take; {N_OF_GRID} in a grid)"
    )
    add("--seed", type=int, default=0, help="sets the latents (default: 0)")
    add(
        "--truncation",
        type=float,
        help="draw latents again that lie further from 0 than this: images more typical and less "
        "varied (default: keep all)",
    )
    add("--epoch", type=int, help="of a run with --keep-every: that epoch's networks")
    add("--format", choices=("png", "npz"), help="what --output must be (default: by its ending)")
    add("--overwrite", action="store_true", help="replace other images that this command wrote")
    add_verbose(parser)
    kept = "Images in a folder are kept; the same command goes on."
    return parse_and_run(parser, argv, _work, kept)


def kind_of(output, format=None):
    """Return what is written to a path: `"folder"`, `"npz"` or `"grid"`.

    Args:
        output: The path.
        format: `"png"`, `"npz"` or None: what a person said of it.

    Raises:
        ValueError: Where the path's ending says something else.
    """
    suffix = Path(output).suffix.lower()
    if suffix in NO_FOLDERS:
        raise ValueError(
            "`output` must be a folder, or a file that ends with .npz or .png. "
            f"Received: output={output}"
        )
    kind = {".npz": "npz", ".png": "grid"}.get(suffix, "folder")
    if format is not None and (format == "npz") != (kind == "npz"):
        wanted = "end with .npz" if format == "npz" else "be a folder, or end with .png"
        raise ValueError(f"`output` must {wanted} for --format {format}. Received: output={output}")
    return kind


def _work(arguments):
    kind = kind_of(arguments.output, arguments.format)
    n = arguments.n
    if n is None:
        n = N_OF_GRID if kind == "grid" else N
    whole_number(1)("n", n)
    whole_number(0)("seed", arguments.seed)
    # Here and not above: --help must not wait for Keras.
    from experiments.sample.networks import find_networks
    from experiments.sample.writing import write_samples

    networks = find_networks(arguments.networks, arguments.epoch)
    shown = progress(arguments.verbose)
    options = arguments.seed, arguments.truncation, arguments.overwrite, shown
    print(write_samples(networks, kind, arguments.output, n, *options))


if __name__ == "__main__":
    sys.exit(main())
