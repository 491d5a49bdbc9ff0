"""Train both GANs on images of your own: a folder of pictures, or an .npz file.

    python -m experiments.images FOLDER

The folder holds PNG, JPEG and other images. Where there are sub-folders, each is a class, and both
models are compared at the end on images that were held out. The settings are neutral: they suppose
nothing of the images. Where there are fewer than 5,000, discriminators see them, and generated
images too, changed at random (--augmentation; without a word after it: as they are). Small images
stay as they are; others are resized to 32 x 32. How many steps training has, and how long they take
here, is said beforehand. Every epoch leaves a picture and a checkpoint. Interrupted, it goes on by
--resume.

Expected of 600 coloured drawings of circles, squares and stripes: figures that one recognises, from
both models. The time goes with steps and pixels: --steps and --image-size set both.
"""

import sys

from experiments.command_line.arguments import add_settings, new_parser, settings_from
from experiments.command_line.training import run_training, train_and_compare
from experiments.settings.fields import whole_number
from experiments.settings.training import NEUTRAL, tuned

_CHOSEN = ("settings", "dataset", "epochs", "passes", "validation")
"""Settings that follow from the images and the steps, without an option as in the others."""
_HELPS = {
    "image_size": "side to resize images to (default: small images of one size stay as they are; "
    "others become 32 x 32)",
    "augmentation": "what is changed at random in all images that discriminators see in training; "
    "without a word after it: nothing (default: all three where there are fewer than 5,000 images)",
    "evaluate": "compare both models once they are trained, by the generative adversarial metric, "
    "label spreading and sample quality (default: yes where 200 or more images have classes)",
}


def main(argv=None):
    """Run the command line and return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    defaults = tuned("FOLDER")
    parser = new_parser("images", __doc__, usage="%(prog)s FOLDER [options]")
    parser.add_argument("dataset", metavar="FOLDER", help="a folder of images, or an .npz file")
    parser.add_argument(
        "--steps",
        type=int,
        default=NEUTRAL.steps,
        help=f"training steps of each model, about (default: {NEUTRAL.steps})",
    )
    parser.add_argument(
        "--validation",
        dest="held_out",
        type=int,
        metavar="INT",
        help="images, chosen at random, that are held out to evaluate on (default: a sixth where "
        "200 or more have classes and the models are compared, at most 1,000; else none)",
    )
    add_settings(parser, defaults, leave_out=_CHOSEN, helps=_HELPS)
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:  # argparse, after --help or an error of its own
        return stop.code

    def work():
        settings = settings_from(arguments, defaults)
        whole_number(1)("steps", arguments.steps)
        if arguments.held_out is not None:
            whole_number(0)("validation", arguments.held_out)
        # Here and not above: --help must not wait for Keras.
        from experiments.training.own_images import prepare

        settings, dataset, evaluation = prepare(settings, arguments.steps, arguments.held_out)
        train_and_compare(parser.prog, settings, evaluation, dataset, argv)

    return run_training(parser.prog, argv, work)


if __name__ == "__main__":
    sys.exit(main())
