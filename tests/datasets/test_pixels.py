import ml_dtypes
import numpy as np
import pytest

from capsgan_keras.datasets import scale_images, to_uint8
from capsgan_keras.datasets.pixels import convert_images


def test_scale_images_covers_minus_one_to_one():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    scaled = scale_images(levels)
    assert scaled.dtype == np.float32
    assert scaled.shape == levels.shape
    np.testing.assert_allclose(scaled.ravel(), np.linspace(-1, 1, 256), atol=1e-7)
    assert (scaled.min(), scaled.max()) == (-1, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
def test_to_uint8_inverts_scale_images(dtype):
    levels = np.arange(256, dtype=np.uint8)
    restored = to_uint8(scale_images(levels).astype(dtype))
    assert restored.dtype == np.uint8
    # bfloat16 keeps 8 bits of the mantissa: near 1 its step is half a level.
    tolerance = 1 if dtype == ml_dtypes.bfloat16 else 0
    assert np.abs(restored.astype(int) - levels).max() <= tolerance


def test_to_uint8_rounds_and_clips():
    values = np.array([-np.inf, -1.5, -1.0, 0.0, 0.4 / 127.5 - 1, 0.6 / 127.5 - 1, 1.0, 3e38])
    assert to_uint8(values).tolist() == [0, 0, 0, 128, 0, 1, 255, 255]


def test_scale_images_refuses_floats():
    with pytest.raises(ValueError, match=r"must be uint8. Received: images of dtype=float32"):
        scale_images(np.zeros((1, 4, 4, 1), np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_to_uint8_refuses_integers(dtype):
    with pytest.raises(ValueError, match=r"must be floats in \[-1, 1\]. Received"):
        to_uint8(np.ones((2, 2), dtype))


def test_to_uint8_refuses_nan():
    with pytest.raises(ValueError, match="images with 2 values that are NaN"):
        to_uint8(np.array([0.0, np.nan, np.nan]))


def test_convert_images_changes_channels():
    red, grey = [200, 0, 0, 17], [9, 9, 9, 255]
    rgba = np.array([red, grey], np.uint8).reshape(1, 1, 2, 4)
    rgb = convert_images(rgba, None, 3)
    assert rgb.tolist() == [[[[200, 0, 0], [9, 9, 9]]]]
    # ITU-R 601: luma = 0.299 R + 0.587 G + 0.114 B.
    assert convert_images(rgba, None, 1).tolist() == [[[[60], [9]]]]
    luma = convert_images(rgb, None, 1)
    assert luma.tolist() == [[[[60], [9]]]]
    assert convert_images(luma, None, 3).tolist() == [[[[60] * 3, [9] * 3]]]
    assert convert_images(luma, None, 4).tolist() == [[[[60, 60, 60, 255], [9, 9, 9, 255]]]]


def test_convert_images_resizes_height_and_width():
    # Left half black, right half white: it stays so, and rows and columns are not mixed up.
    images = np.zeros((2, 8, 8, 1), np.uint8)
    images[:, :, 4:] = 255
    resized = convert_images(images, (4, 32), None)
    assert resized.shape == (2, 4, 32, 1)
    assert (resized[:, :, :12] == 0).all()
    assert (resized[:, :, 20:] == 255).all()


def test_convert_images_resizes_by_cubic_interpolation():
    # At twice the size the new pixels lie 1/4 and 3/4 between the old ones, where Keys' kernel
    # (a = -1/2) weighs its four neighbours by -0.0703, 0.8672, 0.2266 and -0.0234.
    step = np.array([50] * 4 + [200] * 4, np.uint8).reshape(8, 1)
    images = np.broadcast_to(step, (1, 8, 8, 1)).copy()
    resized = convert_images(images, (8, 16), None)[0, 4, 6:10, 0]
    np.testing.assert_allclose(resized, [39.5, 80.5, 169.5, 210.5], atol=1)


def test_convert_images_returns_what_needs_no_change():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    assert convert_images(images, (8, 8), 3) is images
    assert convert_images(images, None, None) is images
