"""Images moved, distorted and laid over each other: against loops, and what geometry says."""

import hashlib

import numpy as np
import pytest

from capsgan_keras.datasets import affine_images, overlap_images, shift_images

DIGITS = np.random.default_rng(0).integers(1, 256, (60, 6, 5, 2), np.uint8)
LABELS = np.arange(60) % 3


def block(count, side=28, height=8, width=8):
    """Black images with a bright block in the middle."""
    images = np.zeros((count, side, side, 1), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    images[:, top : top + height, left : left + width] = 200
    return images


def moves_of(image, moved, reach):
    """Return all moves, down and right, that make one image of another."""
    height, width = image.shape[:2]
    found = []
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            expected = np.zeros_like(image)
            for y in range(height):
                for x in range(width):
                    if 0 <= y - down < height and 0 <= x - right < width:
                        expected[y, x] = image[y - down, x - right]
            if (expected == moved).all():
                found.append((down, right))
    return found


def test_shifts_move_by_whole_pixels_and_reach_every_place():
    shifted = shift_images(DIGITS, 1, seed=3)
    assert shifted.dtype == np.uint8
    found = [moves_of(image, moved, 1) for image, moved in zip(DIGITS, shifted, strict=True)]
    assert all(len(moves) == 1 for moves in found)
    assert len({moves[0] for moves in found}) == 9


def test_what_is_moved_out_of_the_image_is_black():
    for pixels in (6, 10**9):
        shifted = shift_images(DIGITS, pixels, seed=0)
        moves = np.random.default_rng(0).integers(-pixels, pixels + 1, (60, 2))
        out = (np.abs(moves) >= (6, 5)).any(axis=1)
        assert out.sum() > 0
        np.testing.assert_array_equal(shifted.any(axis=(1, 2, 3)), ~out)


def test_a_canvas_is_black_and_holds_the_image_in_its_middle():
    placed = shift_images(DIGITS, 0, seed=0, canvas=9)
    assert placed.shape == (60, 9, 9, 2)
    np.testing.assert_array_equal(placed[:, 1:7, 2:7], DIGITS)
    assert placed.sum() == DIGITS.sum()


def test_the_same_seed_gives_the_same_images():
    """The checksum was taken on Linux: another machine, or another NumPy, must agree."""
    digest = hashlib.sha256()
    for make in (
        lambda seed: shift_images(DIGITS, 2, seed),
        lambda seed: affine_images(DIGITS, seed, canvas=12),
        lambda seed: overlap_images(DIGITS, LABELS, seed, 2).images,
    ):
        np.testing.assert_array_equal(make(5), make(5))
        assert (make((5, 1)) != make((5, 2))).any()
        digest.update(make(5).tobytes())
    assert digest.hexdigest()[:16] == "9d672ad5f2f509b5"


def test_affine_without_distortions_only_moves():
    images = block(200)
    moved = affine_images(images, 0, rotation=0, shear=0, scale=(1, 1))
    places = set()
    for image in moved[..., 0]:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert (image[rows[0] : rows[0] + 8, columns[0] : columns[0] + 8] == 200).all()
        assert image.sum() == 200 * 64
        places.add((rows[0], columns[0]))
    assert {low for low, _ in places} == {low for _, low in places} == set(range(21))


def test_affine_scales_by_area():
    for factor in (0.5, 1.5):
        scaled = affine_images(block(3), 0, rotation=0, shear=0, scale=(factor, factor))
        np.testing.assert_allclose(scaled.sum((1, 2, 3)), factor**2 * 200 * 64, rtol=0.02)


def angle_of(image):
    """Return by how many degrees the long axis of an upright bar is turned."""
    y, x = np.nonzero(image > 100)
    vectors = np.linalg.eigh(np.cov(np.stack([y, x])))[1]
    down, right = vectors[:, 1]
    return np.rad2deg(np.arctan(right / down))


def test_affine_turns_either_way_within_the_range():
    bars = block(100, height=20, width=4)
    turned = affine_images(bars, 0, rotation=20, shear=0, scale=(1, 1))[..., 0]
    angles = np.array([angle_of(image) for image in turned])
    assert 15 < angles.max() < 21
    assert -21 < angles.min() < -15
    assert abs(angles.mean()) < 4


def test_affine_shears_rows_along_themselves():
    bars = block(100, height=20, width=4)
    sheared = affine_images(bars, 0, rotation=0, shear=0.2, scale=(1, 1))[..., 0]
    slopes = []
    for image in sheared:
        y, x = np.nonzero(image > 100)
        slopes.append(np.polyfit(y, x, 1)[0])
        assert len(np.unique(y)) == 20  # as high as before
    assert 0.15 < max(slopes) < 0.22
    assert -0.22 < min(slopes) < -0.15


def test_affine_keeps_what_is_not_black_in_the_image():
    images = block(100, height=20, width=18)
    wide = affine_images(images, 0, canvas=60)
    kept = affine_images(images, 0, canvas=40)
    np.testing.assert_array_equal(wide.sum((1, 2, 3)), kept.sum((1, 2, 3)))


def test_affine_cuts_off_what_is_too_large():
    cut = affine_images(block(4, 8, 8, 8), 0, rotation=0, shear=0, scale=(2, 2))
    assert cut.shape == (4, 8, 8, 1)
    assert (cut[:, 1:-1, 1:-1] == 200).all()


def test_pairs_are_two_moved_images_of_two_classes():
    pairs = overlap_images(DIGITS, LABELS, seed=0, shift=2)
    assert pairs.images.shape == (60, 10, 9, 2)
    assert pairs.parts.shape == (60, 2, 10, 9, 2)
    np.testing.assert_array_equal(pairs.labels[:, 0], LABELS)
    assert (pairs.labels[:, 0] != pairs.labels[:, 1]).all()
    total = pairs.parts.astype(int).sum(axis=1)
    assert total.max() > 255
    np.testing.assert_array_equal(pairs.images, np.minimum(total, 255))
    corners = set()
    for image, parts in zip(DIGITS, pairs.parts, strict=True):
        rows = np.flatnonzero(parts[0].any(axis=(1, 2)))
        columns = np.flatnonzero(parts[0].any(axis=(0, 2)))
        cut = parts[0][rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        np.testing.assert_array_equal(cut, image)
        corners.add((rows[0], columns[0]))
    assert len(corners) > 15
    seconds = {part[part > 0].tobytes() for part in pairs.parts[:, 1]}
    assert seconds <= {image.tobytes() for image in DIGITS}
    assert len(seconds) > 20


def test_chosen_images_get_partners_from_all():
    pairs = overlap_images(DIGITS, LABELS, 0, 0, first=np.full(200, 7))
    np.testing.assert_array_equal(pairs.parts[:, 0], np.repeat(DIGITS[7:8], 200, axis=0))
    partners = {part.tobytes() for part in pairs.parts[:, 1]}
    assert partners == {image.tobytes() for image in DIGITS[LABELS[7] != LABELS]}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shift_images(DIGITS / 255, 1, 0), "`images` must be uint8 .*dtype float64"),
        (lambda: shift_images(DIGITS[0], 1, 0), r"`images` must be uint8 .*\(6, 5, 2\)"),
        (lambda: shift_images(DIGITS, -1, 0), "`pixels` .*pixels=-1"),
        (lambda: shift_images(DIGITS, 1, -2), "`seed` .*seed=-2"),
        (lambda: shift_images(DIGITS, 1, 0, canvas=5), "`canvas` .*at least 6.*canvas=5"),
        (lambda: affine_images(DIGITS, 0, canvas=2.5), "`canvas` .*canvas=2.5"),
        (lambda: affine_images(DIGITS, 0, scale=(1.2, 0.8)), r"`scale` .*\(1.2, 0.8\)"),
        (lambda: affine_images(DIGITS, 0, scale=("a", 1)), r"`scale` .*\('a', 1\)"),
        (lambda: affine_images(DIGITS, 0, scale=(1, np.inf)), r"`scale` .*finite.*\(1, inf\)"),
        (lambda: affine_images(DIGITS, 0, rotation=np.nan), "`rotation` .*nan"),
        (lambda: affine_images(DIGITS, 0, rotation=-20), "`rotation` .*at least 0.*-20"),
        (lambda: affine_images(DIGITS, 0, shear=-0.2), "`shear` .*at least 0.*-0.2"),
        (lambda: affine_images(None, 0), "`images` must be uint8 .*NoneType"),
        (lambda: overlap_images(DIGITS, LABELS[:5], 0), "`labels` must be 60 integers"),
        (lambda: overlap_images(DIGITS, np.zeros(60, int), 0), "`labels` .*one class"),
        (lambda: overlap_images(DIGITS, LABELS, 0, shift=1.5), "`shift` .*shift=1.5"),
        (lambda: overlap_images(DIGITS, LABELS, 0, first=[60]), "`first` .*from 0 to 59"),
        (lambda: overlap_images(DIGITS, LABELS, 0, first=[-1]), "`first` .*from 0 to 59"),
        (lambda: overlap_images(DIGITS, LABELS, 0, first=[0.5]), "`first` .*dtype float64"),
        (lambda: overlap_images(DIGITS, LABELS, 0, first=[[0]]), r"`first` .*shape \(1, 1\)"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
