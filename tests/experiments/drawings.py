"""Coloured drawings of three kinds, in a sub-folder each: images of one's own, for tests.

To make the 600 that `experiments.images` was tried on:

    python -m tests.experiments.drawings FOLDER
"""

import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

KINDS = ("circles", "squares", "stripes")


def draw(kind, side, dice):
    """Return one drawing, a Pillow image: a bright figure on a pale ground."""
    ground = tuple(dice.randrange(190, 256) for _ in range(3))
    colour = [dice.randrange(0, 90), dice.randrange(0, 256), dice.randrange(120, 256)]
    dice.shuffle(colour)
    image = Image.new("RGB", (side, side), ground)
    pen, colour = ImageDraw.Draw(image), tuple(colour)
    if kind == "stripes":
        width = side // dice.randrange(5, 9)
        for left in range(dice.randrange(width), side, 2 * width):
            pen.rectangle((left, 0, left + width - 1, side), fill=colour)
        return image
    size = dice.randrange(side * 2 // 5, side * 3 // 4)
    left, top = (dice.randrange(side // 12, side - size - side // 12) for _ in range(2))
    shape = pen.ellipse if kind == "circles" else pen.rectangle
    shape((left, top, left + size, top + size), fill=colour)
    return image


def write_drawings(folder, count, side=48, seed=0):
    """Write `count` drawings, a third of each kind, into sub-folders of a folder."""
    dice = random.Random(seed)
    for index in range(count):
        place = Path(folder, KINDS[index % len(KINDS)])
        place.mkdir(parents=True, exist_ok=True)
        draw(place.name, side, dice).save(place / f"{index:04}.png")


if __name__ == "__main__":
    write_drawings(sys.argv[1], 600)
