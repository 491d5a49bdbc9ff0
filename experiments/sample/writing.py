"""Images of a generator, block by block, into a folder, an .npz file or a grid."""

import io
import math
import os
import zipfile

import keras
import numpy as np
from PIL import Image

from capsgan_keras.datasets import to_uint8
from capsgan_keras.files import (
    LOCK,
    file_in_the_way,
    read_json,
    remove_partial,
    replacing,
    write_json,
)
from capsgan_keras.gan.latents import Latents
from capsgan_keras.gan.prediction import predict_in_chunks
from capsgan_keras.plotting import image_grid, save_image
from capsgan_keras.runs.lock import working
from experiments.errors import EvaluationError
from experiments.settings.differences import differences
from experiments.training.surroundings import check_surroundings

BATCH = 256
BLOCK = 4 * BATCH
"""Images in memory at a time."""
RECORD, FORMAT = "samples.json", "capsgan_keras samples 1"
ARRAY = "arr_0"
PNG_END = b"IEND\xaeB`\x82"
LARGEST_GRID = 10_000


def write_samples(networks, kind, output, n, seed=0, truncation=None, overwrite=False, verbose=0):
    """Write images and return a line that says what was written.

    Args:
        networks: `experiments.sample.networks.Networks`.
        kind: `"folder"`, `"npz"` or `"grid"`.
        output: The folder or file, a `Path`.
        n: Positive integer: how many images.
        seed: Integer of at least 0 that sets the latents.
        truncation: As in `GAN.generate`.
        overwrite: Whether images that are there, and that this function wrote, may be replaced.
        verbose: As in Keras: 1 for a progress bar, 2 for a line at its end.

    Raises:
        EvaluationError: Where the place holds something else.
        InUseError: Where another process writes there.
        ValueError: On a truncation out of range, or too many images for one grid.
        OSError: Where a file cannot be written.
    """
    check_surroundings()
    stream = ImageStream(networks, n, seed, truncation, verbose)
    print(f"{networks.text}: {n:,} images of {networks.image_shape}, seed {seed}, to {output}")
    blocked = file_in_the_way(output if kind == "folder" else output.parent)
    if blocked is not None:
        raise EvaluationError(f"{output}: cannot be written, for {blocked} is a file")
    if kind == "folder":
        with working(output / LOCK):
            return _write_folder(output, networks, stream, overwrite)
    if output.is_dir():
        raise EvaluationError(f"{output}: is a folder. Give the name of a file")
    if output.exists() and not overwrite:
        raise EvaluationError(f"{output}: is there already. Choose another, or give --overwrite")
    write = _write_npz if kind == "npz" else _write_grid
    with working(output.with_name(f"{LOCK}-{output.name}")):
        return write(output, networks, stream)


class ImageStream:
    """The images of a seed, in blocks.

    An image is always computed in the same batch, of the same latents, wherever the images begin
    and end. So it depends neither on their number nor on an interruption.

    Args:
        networks: `experiments.sample.networks.Networks`.
        n: How many images.
        seed: Integer of at least 0 that sets the latents.
        truncation: As in `GAN.generate`.
        verbose: As in Keras: 1 for a progress bar, 2 for a line at its end.
    """

    def __init__(self, networks, n, seed=0, truncation=None, verbose=0):
        self.networks, self.n = networks, n
        self.seed, self.truncation, self.verbose = seed, truncation, verbose
        Latents.of(networks.generator, seed, truncation)  # refuses before anything is written

    def blocks(self, is_there=lambda start, stop: False):
        """Yield the number of each block's first image, and the images, uint8.

        Args:
            is_there: Function of a block's first image and of the one after its last: whether it
                may be left out.
        """
        latents = Latents.of(self.networks.generator, self.seed, self.truncation)
        progress = keras.utils.Progbar(self.n, verbose=self.verbose, unit_name="image")
        for start in range(0, self.n, BLOCK):
            stop = min(start + BLOCK, self.n)
            drawn = latents.draw(-(-(stop - start) // BATCH) * BATCH)
            if not is_there(start, stop):
                images = predict_in_chunks(self.networks.model, drawn, BATCH, after=to_uint8)
                yield start, images[: stop - start]
            progress.update(stop)

    @property
    def identity(self):
        """What tells these images from others, as JSON can hold it."""
        return {
            "networks": self.networks.checksum(),
            "seed": self.seed,
            "truncation": self.truncation,
            "backend": keras.backend.backend(),  # another one rounds otherwise
        }


def image_name(index):
    """Return the name of an image's file."""
    return f"{index:06d}.png"


def _write_folder(folder, networks, stream, overwrite):
    remove_partial(folder)
    _settle_folder(folder, stream, overwrite)
    described = {"networks": networks.text, "n": stream.n, "image_shape": networks.image_shape}
    write_json(folder / RECORD, {"format": FORMAT, **described, "identity": stream.identity})
    written = 0

    def is_there(start, stop):
        return all(_is_whole(folder / image_name(k), networks) for k in range(start, stop))

    for start, images in stream.blocks(is_there):
        for index, image in enumerate(images, start):
            # Without waiting for the disk, which would take longer than the networks.
            save_image(folder / image_name(index), image, sync=False)
        written += len(images)
    if hasattr(os, "sync"):  # not on Windows
        os.sync()
    there = f", {stream.n - written:,} of which were there" if written < stream.n else ""
    return f"In {folder}: {image_name(0)} to {image_name(stream.n - 1)}{there}"


def _settle_folder(folder, stream, overwrite):
    """Refuse what other images or files a folder holds, or remove the images if that is asked for.

    Raises:
        EvaluationError: Where it holds files that are not of this command; also where it holds
            other images and they may not be replaced.
    """
    entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    recorded = RECORD in {entry.name for entry in entries}
    indices = {
        entry.name: _index(entry.name) if entry.is_file() else None
        for entry in entries
        if entry.name != RECORD
    }
    foreign = sorted(name for name, index in indices.items() if index is None or not recorded)
    if foreign:
        raise EvaluationError(
            f"{folder}: holds files that this command did not write: {', '.join(foreign[:3])}. "
            "Choose another folder"
        )
    reason = _other_images(folder / RECORD, stream) if recorded else None
    beyond = sorted(name for name, index in indices.items() if index >= stream.n)
    if reason is None and beyond:
        reason = f"it holds more images than {stream.n:,}, such as {beyond[-1]}"
    if reason is None:
        return
    if not overwrite:
        raise EvaluationError(
            f"{folder}: {reason}. Choose another folder, or replace them by --overwrite"
        )
    for name in indices:
        (folder / name).unlink()
    (folder / RECORD).unlink()


def _index(name):
    """Return which image a file's name stands for; None where it is the name of none."""
    stem = name.removesuffix(".png")
    index = int(stem) if stem.isascii() and stem.isdigit() else None
    return index if index is not None and image_name(index) == name else None


def _other_images(record, stream):
    """Return why a folder's images are others than those of a stream; None where they are not."""
    try:
        stored = read_json(record)
    except ValueError as error:
        return f"{RECORD} is damaged: {error}"
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        return f"{RECORD} lacks the format {FORMAT!r}"
    found = differences(stored.get("identity"), stream.identity)
    words = [f"{name} {before} there, {now} now" for name, before, now in found]
    return f"it holds other images: {'; '.join(words)}" if words else None


def _is_whole(path, networks):
    """Return whether a file is an image of a kind; after a power cut it may be empty."""
    height, width, channels = networks.image_shape
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            image.load()  # takes files whose end is missing
            kind = image.size, len(image.getbands())
    except (OSError, SyntaxError, ValueError):  # Pillow has all of them for damaged files
        return False
    return content.endswith(PNG_END) and kind == ((width, height), channels)


def _write_npz(path, networks, stream):
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype("uint8")),
        "fortran_order": False,
        "shape": (stream.n, *networks.image_shape),
    }
    with (
        replacing(path) as partial,
        zipfile.ZipFile(partial, "w") as archive,
        archive.open(f"{ARRAY}.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_1_0(member, header)
        for _, images in stream.blocks():
            member.write(np.ascontiguousarray(images).tobytes())
    return f"In {path}: {ARRAY}, uint8 {header['shape']}"


def _write_grid(path, networks, stream):
    if stream.n > LARGEST_GRID:
        raise ValueError(
            f"`n` must be at most {LARGEST_GRID:,} for one picture; a folder or an .npz file takes "
            f"more. Received: n={stream.n}"
        )
    columns = math.isqrt(stream.n - 1) + 1
    rows = -(-stream.n // columns)
    images = np.full((rows * columns, *networks.image_shape), 255, np.uint8)
    for start, block in stream.blocks():
        images[start : start + len(block)] = block
    save_image(path, image_grid(images, rows, columns))
    return f"In {path}: {stream.n:,} images, {columns} in a row"
