import pytest

from capsgan_keras import ConvolutionalGAN


def test_more_images_than_the_memory_holds_are_refused():
    gan = ConvolutionalGAN(
        (16, 16, 1), 8, generator_options={"filters": (4, 4)}, discriminator_options={"filters": 4}
    )
    # 8 float32 components and 256 pixels each.
    with pytest.raises(ValueError, match=r"`n`=1000000000000 takes at least 288,000\.0 GB"):
        gan.generate(10**12)
