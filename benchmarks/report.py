"""Write `docs/speed.md` and its figure from what `python -m benchmarks` measured."""

import argparse
import json
import sys
from pathlib import Path

RESULTS = Path("results/speed/speed.json")
PAGE = Path("docs/speed.md")
FIGURE = Path("results/speed/label-spreading.png")
PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16"}
DATASETS = {"mnist": "MNIST, 28x28x1", "cifar10": "CIFAR-10, 32x32x3"}

HEAD = """\
# Speed

How fast the package is and how much memory it needs. Each number stands beside that of the plain
way, from the same run. Two commands measure and write this page. They take about 25 minutes on two
cores that do nothing else.

```
python -m benchmarks           # measure, and write results/speed/speed.json
python -m benchmarks.report    # write docs/speed.md and its figure from that file
```

How to read the tables:

- A number is the median of several rounds. The least and the most of the rounds stand in brackets.
- The ways take turns, so that other work on the machine slows all of them alike. A ratio is taken
  within each round.
- Values are compared before anything is timed. Where they differ, the run ends with an error.
- Memory is measured in a process of its own: the most that it holds, less what it held before.
"""
MACHINE = """\
## The machine

All numbers of this page are from this machine. Others give other times, and other ratios too.
"""
CAPSULES = """\
## The capsule layer

`CapsuleLayer` routes from inputs and weights, block by block, and never holds the predictions. With
one final capsule routing changes nothing, and the layer is one matrix product. Two textbook ways
hold the predictions. One computes them by an einsum. The other repeats the inputs and uses
`map_fn`, as CapsNet-Keras does.

Milliseconds are those of a forward and a backward pass in float32. "3 times" means three times as
long as `CapsuleLayer`. Values and gradients agree within 0.0001 of the largest element.
"""
ROUTED = """\
Other routings, and routing within windows of 3x3 places with steps of 2. The plain way cuts out
windows by Keras's `extract_patches`, makes all votes by an einsum, and then routes. In EM routing
the package holds the votes, too, and the squared distances of each iteration: nearly all its time
goes into these, so within windows less is gained. Its plain way is the paper's procedure, formula
by formula.
"""
TRAINING = """\
## The training step

The networks, their optimizers and the size of the batch are those of the experiments' tuned
settings. The textbook step updates the discriminator first and then the generator, and computes
capsules by `map_fn`. `update="alternating"` does the same with the package's capsule layer.
`update="simultaneous"`, the default, trains both players from one forward pass, as the paper's
software did. It saves one forward pass of each network.

- "2 times" means twice as fast as the textbook step in float32.
- "share" is the time of the step's convolutions alone, as a share of the step's time. They are its
  limit: at 100 % all else would take no time.

The convolutional GAN has no capsules. Only the simultaneous step and bfloat16 can make it faster.
Losses and changes of weights agree with a plainly written step within 0.005 in float32, and within
0.2 in bfloat16, whose numbers have 8 bits. Changes are compared by their norms, for each variable.

No GPU was at hand. `KERAS_BACKEND=jax python -m benchmarks training` times the package's steps on
JAX, without the textbook step.
"""
LABEL_SPREADING = """\
## The label-spreading table

A table has three numbers of labelled images and five draws of each. scikit-learn computes all
neighbours anew for each of the 15 cells. The package computes those of the unlabelled images once.
One cell of scikit-learn is timed for each number of labels, and counts five times. Memory is that
of the package's whole table, and of scikit-learn's cell with the most labels.
"""
RBF = """\
### The RBF kernel

With this kernel all images are neighbours of each other. So both ways need a matrix, whose size
grows with the square of their number. scikit-learn makes several, anew for each of the 15 cells.
The package keeps half of one, for all cells. Times are seconds of a table. With an exponent of 2,
twice as many images cost four times as much.

The rows "drawn on" were not measured. They start from the largest size that was measured. One
follows the power that was fitted to all sizes, the other the square. The work grows with the
square. Fixed costs of small tables make the fitted power too low. The processor's cache, which
small tables fit in, makes it too high. 50,000 unlabelled images are the paper's size: 60,000 points
with 10,000 labelled ones.

![Time and memory against the number of unlabelled images](../results/speed/label-spreading.png)
"""
WHOLE = """
A table of the paper's size was not measured here. On MNIST one took 300 s beside other work, and
11 GB of memory ([trials](trials.md#the-rbf-kernel-at-the-papers-size)).
"""
GROWTH = """\
## Growth

How the cost grows with the size. The networks are those of CIFAR-10's tuned settings, in float32.
One size changes, and the others stay: the batch, the width of the discriminator (a factor of its
filters), or the side of the images. The exponent says how fast the cost grows. When the size
doubles, the cost doubles with an exponent of 1, and grows fourfold with an exponent of 2.
"""
MEMORY = """\
The memory of one step. The numbers of small batches are too low: they use memory again that was
freed before.
"""
POINTS = """\
A label-spreading table of synthetic images of 28x28 pixels. The test images are a fifth as many.
"""


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.parse_args(argv)
    from benchmarks.figures import rbf_figure  # help does not wait for Keras
    from capsgan_keras.plotting import save_figure

    try:
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
        PAGE.write_text(page(results), encoding="utf-8")
        print(f"Written to {PAGE}")
        if "rbf" in results.get("label_spreading", {}):
            save_figure(FIGURE, rbf_figure(results["label_spreading"]["rbf"]))
            print(f"Written to {FIGURE}")
    except OSError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    return 0


def page(results):
    """Return the page, a text in Markdown.

    Args:
        results: Dictionary, as `python -m benchmarks` writes it.
    """
    parts = [HEAD, MACHINE, machine(results["machine"])]
    for name, section in SECTIONS.items():
        if name in results:
            parts += section(results[name])
    return "\n".join(parts)


def machine(described):
    """Return the table of the machine."""
    versions = described["versions"]
    rows = {
        "processor": described["processor"],
        "cores": described["cores"],
        "bfloat16 instructions": ", ".join(described["bfloat16_instructions"]) or "none",
        "accelerators": ", ".join(
            device for device in described["devices"] if not device.startswith("cpu")
        )
        or "none",
        "system": described["system"],
        **{name.replace("_", "-"): version for name, version in versions.items()},
        "commit": described["commit"],
    }
    return table(["", ""], [[name, str(value)] for name, value in rows.items() if value])


def capsules(result):
    """Return the section on the capsule layer, a list of texts."""
    names = {"layer": "`CapsuleLayer`", "einsum": "einsum", "map_fn": "tiled, `map_fn`"}
    rows = []
    for network, layer in result["layers"].items():
        sizes = f"{layer['num_input']} to {layer['num_capsule']} x {layer['dim_capsule']}"
        rows.append([network, sizes, *(way_cell(way, layer["ways"][way]) for way in names)])
    note = f"Batches of {result['batch_size']}, {result['rounds']} rounds.\n"
    parts = [CAPSULES, table(["last layer of", "capsules", *names.values()], rows), note]
    if "routings" not in result:  # in older files
        return parts
    rows = [
        [name, layer["capsules"], *(way_cell(*way) for way in layer["ways"].items())]
        for name, layer in result["routings"].items()
    ]
    return [*parts, ROUTED, table(["routing", "capsules", "the package", "einsum"], rows)]


def way_cell(way, measured):
    """Return the cell of one way to compute a capsule layer."""
    parts = [f"{cell(measured['milliseconds'], '.1f')} ms"]
    if way != "layer":
        parts.append(f"{cell(measured['times_layer'], '.1f')} times")
    return ", ".join([*parts, mebibytes(measured["memory"])])


def training(result):
    """Return the section on the training step, a list of texts."""
    names = {
        "textbook": "textbook",
        "alternating": '`update="alternating"`',
        "simultaneous": '`update="simultaneous"`',
        "convolutions": "convolutions alone",
    }
    parts = [TRAINING]
    for dataset, models in result["datasets"].items():
        cells = {
            model: {(row["step"], row["precision"]): step_cell(row) for row in measured["steps"]}
            for model, measured in models.items()
        }
        rows = [
            [f"{name}, {short}", *(column[step, precision] for column in cells.values())]
            for step, name in names.items()
            for precision, short in PRECISIONS.items()
            if all((step, precision) in column for column in cells.values())
        ]
        heads = [
            f"{model} GAN, batches of {measured['batch_size']}"
            for model, measured in models.items()
        ]
        parts.append(f"{DATASETS[dataset]}, images per second:\n")
        parts.append(table(["step", *heads], rows))
    return [*parts, f"{result['steps']} steps at a time, {result['rounds']} rounds.\n"]


def step_cell(row):
    """Return the cell of one step: its rate, and the ratios that it has."""
    parts = [cell(row["images_per_second"], ",.0f")]
    if row["times_textbook"] is not None:
        parts.append(f"{cell(row['times_textbook'], '.2f')} times")
    if row["convolutions_share"] is not None:
        parts.append(f"share {cell(row['convolutions_share'], '.0%')}")
    return ", ".join(parts)


def label_spreading(result):
    """Return the section on the label-spreading table, a list of texts."""
    rows = [
        [
            "the package",
            cell(result["table_seconds"], ",.1f"),
            "1",
            mebibytes(result["table_memory"]),
        ],
        [
            "scikit-learn for each cell",
            cell(result["scikit_learn_seconds"], ",.1f"),
            cell(result["times_table"], ".1f"),
            mebibytes(result["scikit_learn_memory"]),
        ],
    ]
    heads = ["way", "seconds of a table", "times the package's", "memory"]
    note = (
        f"{result['data']}, {result['points']:,} unlabelled images, n = "
        f"{numbers(result['n_labelled'])}, {result['n_test']:,} test images, "
        f"{result['rounds']} rounds; {differing([result])}.\n"
    )
    parts = [LABEL_SPREADING, table(heads, rows), note]
    # Older files have no RBF kernel.
    return parts + rbf(result["rbf"]) if "rbf" in result else parts


def differing(tables):
    """Say how many predicted labels differ from scikit-learn's in some tables."""
    predicted = sum(len(table["n_labelled"]) * table["n_test"] for table in tables)
    other = sum(round(sum(table["differing"]) * table["n_test"]) for table in tables)
    return f"{other} of {predicted:,} predicted labels differ"


def rbf(result):
    """Return the part on the RBF kernel, a list of texts."""
    tables, growth = result["tables"], result["growth"]
    seconds = "table_seconds", "scikit_learn_seconds"
    memory = "table_memory", "scikit_learn_memory"
    rows = [
        [f"{measured['points']:,}", numbers(measured["n_labelled"])]
        + [cell(measured[way], ",.1f") for way in seconds]
        + [cell(measured["times_table"], ".1f")]
        + [mebibytes(measured[way]) for way in memory]
        for measured in tables
    ]
    whole = result.get("whole")  # not in older files, and None where memory is too small
    if whole:
        seconds_cell, needed = f"{whole['seconds']:,.0f}", mebibytes(whole["bytes"])
        name = f"{result['drawn_on']:,}, measured once"
        rows.append([name, "", seconds_cell, "-", "-", needed, "-"])
    exponents = [cell(growth[way]["exponent"], ".2f") for way in (*seconds, *memory)]
    rows.append(["exponent", "", *exponents[:2], "", *exponents[2:]])
    for way in ("power", "square"):
        ours, theirs = (growth[name][f"by_{way}"] for name in seconds)
        needed = [mebibytes(growth[name][f"by_{way}"]) for name in memory]
        times = [f"{ours:,.0f}", f"{theirs:,.0f}", f"{theirs / ours:.1f}"]
        rows.append([f"{result['drawn_on']:,}, drawn on by the {way}", "", *times, *needed])
    heads = ["unlabelled images", "n", "package", "scikit-learn", "times the package's"]
    heads += ["package, memory", "scikit-learn, memory"]
    note = (
        f"{tables[0]['data']}, gamma = {result['gamma']}, rounds: "
        f"{numbers(table['rounds'] for table in tables)}; {differing(tables)}.\n"
    )
    return [RBF, table(heads, rows), note if whole else note + WHOLE]


def growth(result):
    """Return the section on growth, a list of texts."""
    steps, memory, points = result["steps"], result["memory"], result["points"]
    heads = [f"{model} GAN" for model in steps]
    parts = [GROWTH, f"Milliseconds of a training step, {result['rounds']} rounds:\n"]
    rows = []
    for part in next(iter(steps.values())):
        columns = [
            [cell(value, ",.0f") for value in measured[part]["milliseconds"]]
            + [cell(measured[part]["exponent"], ".2f")]
            for measured in steps.values()
        ]
        rows += with_sizes(part, next(iter(steps.values()))[part]["sizes"], columns)
    parts.append(table(["", *heads], rows))
    columns = [
        [*map(mebibytes, measured["bytes"]), cell(measured["exponent"], ".2f")]
        for measured in memory.values()
    ]
    rows = with_sizes("batch", next(iter(memory.values()))["sizes"], columns)
    parts += [MEMORY, table(["", *heads], rows)]
    columns = [
        [*(cell(value, ",.1f") for value in points["seconds"]), cell(points["exponent"], ".2f")],
        [*map(mebibytes, points["bytes"]), cell(points["bytes_exponent"], ".2f")],
    ]
    rows = with_sizes("unlabelled images", points["sizes"], columns)
    parts += [POINTS, table(["", "seconds", "memory"], rows), f"{points['rounds']} rounds.\n"]
    return parts


def with_sizes(part, sizes, columns):
    """Return the rows of a table: one for each size, and one for the exponents."""
    names = [f"{part} {size:,}" for size in sizes] + [f"{part}: exponent"]
    return [[name, *cells] for name, *cells in zip(names, *columns, strict=True)]


def table(heads, rows):
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def numbers(values):
    """Return whole numbers as a list in words."""
    return ", ".join(f"{value:,}" for value in values)


def cell(values, digits):
    """Return a spread as `median (min to max)`, one number where all are alike, or a dash."""
    if values is None:
        return "-"
    median, least, most = (format(values[key], digits) for key in ("median", "min", "max"))
    return median if least == most else f"{median} ({least} to {most})"


def mebibytes(count):
    """Return a number of bytes in MiB, or a dash for None."""
    return "-" if count is None else f"{count / 2**20:,.0f} MiB"


SECTIONS = {
    "capsules": capsules,
    "training": training,
    "label_spreading": label_spreading,
    "growth": growth,
}
"""The benchmarks, in the order of the page."""


if __name__ == "__main__":
    sys.exit(main())
