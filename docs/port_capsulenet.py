"""What `capsulenet.py` of CapsNet-Keras does: train CapsNet, test it, redraw, save."""

import keras

from capsgan_keras import load_dataset, losses, models, plotting
from capsgan_keras.datasets import shift_images


def main(dataset="mnist", epochs=50, **sizes):
    """Train and test; by default with the data and the sizes of `capsulenet.py`."""
    (x_train, y_train), (x_test, y_test) = load_dataset(dataset)
    model = models.CapsNet(x_train.shape[1:], 10, **sizes)
    loss = {"lengths": losses.MarginLoss(), "reconstruction": "mse"}
    model.compile("adam", loss, loss_weights={"lengths": 1.0, "reconstruction": 0.392})
    rate = keras.callbacks.LearningRateScheduler(lambda epoch: 0.001 * 0.9**epoch)
    log = [rate, keras.callbacks.CSVLogger("log.csv", append=True)]
    y = keras.utils.to_categorical(y_train, 10)
    for n in range(epochs):
        x = shift_images(x_train, 2, seed=n)  # other shifts in each epoch
        model.fit((x, y), {"lengths": y, "reconstruction": x}, 100, n + 1, 2, log, initial_epoch=n)
    lengths, redrawn = model.predict(x_test).values()
    print("test accuracy:", (lengths.argmax(axis=1) == y_test).mean())
    for name, images in (("real", x_test[:50]), ("recon", (255 * redrawn[:50]).astype("uint8"))):
        plotting.save_image(f"{name}.png", plotting.image_grid(images, 5, 10))
    model.save("trained_model.keras")


if __name__ == "__main__":
    main()
