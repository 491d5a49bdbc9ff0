"""Which of the project's aims for speed the measured values reach."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Aim:
    """One aim.

    Attributes:
        what: What is measured, in words.
        measured: The value.
        aim: What it should be.
        least: Whether it should be at least the aim, not at most.
        unit: After the numbers.
        digits: Format of the numbers.
    """

    what: str
    measured: float
    aim: float
    least: bool = True
    unit: str = " times"
    digits: str = ".1f"

    @property
    def reached(self):
        """Whether the value is as good as the aim."""
        return self.measured >= self.aim if self.least else self.measured <= self.aim

    def __str__(self):
        """Return a line of words."""
        word = "at least" if self.least else "at most"
        return (
            f"{'reached' if self.reached else 'missed'}: {self.what} "
            f"{self.measured:{self.digits}}{self.unit} (aim: {word} {self.aim:g}{self.unit})"
        )


def of_capsules(result):
    """Yield the aims of the capsule layer, from the JSON of `benchmarks.capsules`.

    Of several layers with as many output capsules, the worst counts.
    """
    shapes = result["shapes"].values()
    ten = [shape["ways"] for shape in shapes if shape["num_capsule"] == 10]
    one = [shape["ways"] for shape in shapes if shape["num_capsule"] == 1]

    def slowest(ways, way):
        factors = [each[way]["times_as_slow"]["median"] for each in ways if way in each]
        return min(factors, default=None)

    faster = slowest(ten, "einsum")
    if faster is not None:
        yield Aim("10 output capsules, faster than einsum (needed)", faster, 1.3)
        yield Aim("10 output capsules, faster than einsum", faster, 2.5)
        shares = [_memory_share(ways) for ways in ten]
        if None not in shares:
            what = "10 output capsules, memory as a share of einsum's"
            yield Aim(what, max(shares), 0.5, least=False, unit="", digits=".2f")
    for ways, count, aim in ((ten, "10 output capsules", 5), (one, "1 output capsule", 20)):
        faster = slowest(ways, "map_fn")
        if faster is not None:
            yield Aim(f"{count}, faster than `map_fn`", faster, aim)


def _memory_share(ways):
    ours, theirs = ways["layer"]["memory"], ways["einsum"]["memory"]
    return None if ours is None or not theirs else ours / theirs


def of_training(result):
    """Yield the aim of each model's fastest step, from the JSON of `benchmarks.training`."""
    shape = "x".join(map(str, result["settings"]["image_shape"]))
    networks = result["settings"].get("networks", "default")
    for model in result["models"]:
        ratios = [row["times_textbook_float32"] for row in model["steps"]]
        medians = [ratio["median"] for ratio in ratios if ratio is not None]
        if medians:
            what = (
                f"training step, {shape}, {model['model']} GAN, {networks} networks, batch "
                f"{model['batch_size']}, fastest, faster than the textbook's in float32"
            )
            yield Aim(what, max(medians), 2, digits=".2f")


def of_semi_supervised(result):
    """Yield the aims of label spreading, from the JSON of `benchmarks.semi_supervised`."""
    for one in result["results"]:
        what = (
            f"label-spreading table, {one['data']}, {one['points']:,} unlabelled images, faster "
            "than scikit-learn for each cell"
        )
        yield Aim(what, one["ratio"]["median"], 10)


def of_startup(result):
    """Yield the aim of `--help`, from the JSON of `benchmarks.startup`."""
    seconds = result["help"]["seconds"]["median"]
    yield Aim("`--help`", seconds, 1, least=False, unit=" s", digits=".2f")


def of_full_training(result):
    """Yield the aim of a full training on MNIST on an accelerator, at the fastest rates."""
    from benchmarks.costs import compare_models

    devices = result["machine"].get("devices", [])
    shown = result["settings"]["image_shape"] == [28, 28, 1]
    compared = compare_models(result["models"])
    if shown and compared and not all(device.startswith("cpu") for device in devices):
        seconds = min(one["full_training_seconds"]["together"] for one in compared)
        what = "50 epochs of MNIST, both models, at the fastest measured rates"
        yield Aim(what, seconds, 180, least=False, unit=" s", digits=".0f")
