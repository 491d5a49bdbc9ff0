"""What an experiment says last: which pictures to open, and what to type next."""

import shlex

from capsgan_keras.files import quoted
from capsgan_keras.runs import RunDirectory


def ending(program, settings, argv=()):
    """Return where the pictures of all runs are, and the next commands, as a text.

    Args:
        program: The command that trained them.
        settings: `experiments.settings.training.Settings`.
        argv: The command's arguments, which a longer training keeps.
    """
    runs = [
        RunDirectory(each.run_path(model)) for each in settings.by_seed for model in each.models
    ]
    lines = ["", "Pictures to open, 100 images of each generator, not chosen:"]
    lines += [f"  {run.path / 'samples' / f'epoch-{settings.epochs:04d}.png'}" for run in runs]
    lines += ["The curves of training are beside each folder samples/, in curves.png.", "", "Next:"]
    folder = settings.runs_folder
    more = f"from capsgan_keras import load_run; load_run({quoted(runs[0].path)}).gan.generate(64)"
    steps = [(more, "more images, in Python")]
    if any(folder.glob("evaluation/**/*.json")):
        steps.append((_command("report", folder / "evaluation"), "tables as above, and figures"))
    if program.endswith(".images"):
        # Of an option that is given twice the last value counts.
        kept = [argument for argument in argv or [settings.dataset] if argument != "--resume"]
        longer = ("--steps", 10_000, "--run-dir", f"{folder}-longer")
        steps.append((_command("images", *kept, *longer), "train longer"))
    else:
        steps.append((_command("images", "FOLDER"), "the same on images of your own"))
    width = max(len(command) for command, _ in steps)
    return "\n".join([*lines, *(f"  {command:{width}}  # {what}" for command, what in steps)])


def _command(name, *arguments):
    return f"python -m experiments.{name} {shlex.join(map(str, arguments))}"
