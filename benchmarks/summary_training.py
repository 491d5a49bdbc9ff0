"""README's tables of the training step, from the JSON files of `benchmarks.training`."""

from benchmarks.costs import EPOCHS, IMAGES, compare_models
from benchmarks.measuring import cell

STEPS = {
    "textbook": "textbook",
    "textbook, one product": "textbook + one-product capsule",
    "textbook, simultaneous": "textbook + simultaneous step",
    "textbook, dataset": "textbook + input pipeline",
    "textbook, one execution": "textbook + all steps in one execution",
    "alternating": "ours, alternating, one-product capsule",
    "simultaneous": "ours, simultaneous, one-product capsule",
    "fit": "the same by `fit`, fed as the experiments feed theirs",
    "fit, one execution": "the same, all steps in one execution",
    "fit, self-tuning": "the same by `fit` from Keras's self-tuning data set",
    "fit, dataset": "the same by `fit` from a tensor",
    "fit, dataset, one execution": "all together: `fit` from a tensor, all steps in one execution",
    "scan": "one compiled loop over data on the device",
}
PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16"}
NETWORKS = {"default": "the package's default networks", "tuned": "the experiments' networks"}


def describe(result):
    """Yield the lines of Markdown of one JSON file.

    Args:
        result: Dictionary, as `benchmarks.training` writes it.
    """
    measured = result["models"]
    settings = result["settings"]
    height, width, channels = settings["image_shape"]
    backend = result["machine"]["versions"]["backend"]
    yield (
        f"**Training step**, {height}x{width}x{channels}, "
        f"{NETWORKS[settings.get('networks', 'default')]}, {_backend(backend)}: images per second; "
        "in brackets how many times the float32 textbook step (least-most of the rounds); last "
        "the share of the best large convolution's rate. "
        f"{settings['steps']} steps at a time, {settings['repeats']} rounds."
    )
    yield ""
    yield from _table(measured)
    yield from _full_training(result)
    for precision, rates in result["best_rates"].items():
        yield ""
        yield _limit(precision, rates, measured)
    for model in measured:
        yield ""
        yield _work(model)


def _backend(words):
    name, _, version = words.partition(" ")
    return f"{'JAX' if name == 'jax' else 'TensorFlow'} {version}"


def _table(measured):
    batches = list(dict.fromkeys(model["batch_size"] for model in measured))
    tables = {(m["model"], m["batch_size"]): _rows(m) for m in measured}
    heads, columns = [], []
    for batch in batches:
        for (model, size), rows in tables.items():
            if size == batch:
                heads.append(f"{model} GAN, batch {batch}")
                columns.append({key: _step(row) for key, row in rows.items()})
        compared = {
            (one["step"], one["precision"]): f"{one['capsule_over_convolutional']:.2f}"
            for one in compare_models(measured)
            if one["batch_size"] == batch
        }
        if compared:
            heads.append(f"capsule / convolutional, batch {batch}")
            columns.append(compared)
    yield "| step | " + " | ".join(heads) + " |"
    yield "| --- |" + " --- |" * len(heads)
    for step, words in STEPS.items():
        for precision, short in PRECISIONS.items():
            key = step, precision
            if any(key in column for column in columns):
                cells = (column.get(key, "-") for column in columns)
                yield f"| {words}, {short} | " + " | ".join(cells) + " |"


def _rows(model):
    return {(row["step"], row["precision"]): row for row in model["steps"]}


def _step(row):
    share, ratio = row["share_of_limit"], row["times_textbook_float32"]
    return (
        f"{row['images_per_second']['median']:,.0f}"
        + ("" if ratio is None else f" [{cell(ratio, '.2f')}]")
        + ("" if share is None else f", {share['convolution']:.0%}")
    )


def _full_training(result):
    """On an accelerator: the time of a full training on MNIST at the measured rates."""
    devices = result["machine"].get("devices", [])
    if result["settings"]["image_shape"] != [28, 28, 1] or all(
        device.startswith("cpu") for device in devices
    ):
        return
    yield ""
    yield f"{EPOCHS} epochs of {IMAGES:,} images would take, at the fastest measured rates: "
    best = {}
    for one in compare_models(result["models"]):
        before = best.get(one["batch_size"])
        if before is None or _together(one) < _together(before):
            best[one["batch_size"]] = one
    for batch, one in best.items():
        seconds = one["full_training_seconds"]
        yield (
            f"batch {batch}, {STEPS[one['step']]}, {PRECISIONS[one['precision']]}: capsule GAN "
            f"{seconds['capsule']:.0f} s, convolutional GAN {seconds['convolutional']:.0f} s, "
            f"together {seconds['together']:.0f} s."
        )


def _together(one):
    return one["full_training_seconds"]["together"]


def _limit(precision, rates, measured):
    """The limit, the rate of the step's own convolutions, and that of the whole step."""
    matrices, convolutions = (_giga(rates[name]) for name in ("matmul", "convolution"))
    text = (
        f"Best large products in {PRECISIONS[precision]}: matrices {cell(matrices, '.0f')}, "
        f"convolutions {cell(convolutions, '.0f')} GFLOP/s."
    )
    for model in measured:
        alone = model.get("convolutions", {}).get(precision)
        rows = _rows(model)
        if not alone or ("simultaneous", precision) not in rows:
            continue
        images = rows["simultaneous", precision]["images_per_second"]["median"]
        whole = 2 * model["multiply_adds"] * images
        text += (
            f" {model['model'].capitalize()} GAN, batch {model['batch_size']}: its own large "
            f"convolutions timed alone {alone['rate'] / 1e9:.0f}, the whole simultaneous step "
            f"{whole / 1e9:.0f} GFLOP/s."
        )
    return text


def _giga(rate):
    if isinstance(rate, dict):
        return {key: rate[key] / 1e9 for key in ("median", "min", "max")}
    return rate / 1e9


def _work(model):
    alternating = model.get("multiply_adds_alternating")
    text = (
        f"{model['model'].capitalize()} GAN, batch {model['batch_size']}: the simultaneous step "
        f"needs {model['multiply_adds'] / 1e6:.0f} million multiply-adds an image"
    )
    if alternating:
        text += (
            f", the alternating one {alternating / 1e6:.0f} million "
            f"({alternating / model['multiply_adds']:.2f} times as many)"
        )
    return (
        ". ".join(
            [text]
            + [
                f"In {PRECISIONS[precision]} the time of its operations goes to "
                + ", ".join(f"`{one['operation']}` {one['share']:.0%}" for one in shares[:6])
                for precision, shares in model["operations"].items()
            ]
        )
        + "."
    )
