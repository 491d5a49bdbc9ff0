import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.figures import rbf_figure

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / report.RESULTS).read_text(encoding="utf-8"))
S = {"median": 1.5, "min": 1.25, "max": 2.0}
WAY = {"milliseconds": S, "memory": 2**21}
WAYS = {"layer": WAY, "einsum": WAY | {"times_layer": S}, "map_fn": WAY | {"times_layer": S}}
LAYER = {"num_input": 5, "num_capsule": 6, "dim_capsule": 7, "ways": WAYS}
ROUTED = {"leaky": {"capsules": "5 x 6", "ways": {"layer": WAY, "einsum": WAYS["einsum"]}}}
STEP = {"images_per_second": S, "times_textbook": S, "convolutions_share": S}
STEPS = [{"step": "textbook", "precision": "float32"} | STEP]
TABLE = {"data": "mnist", "points": 20, "n_labelled": [4], "n_test": 100, "rounds": 3}
TABLE |= {"differing": [0.25], "times_table": S, "table_seconds": S, "scikit_learn_seconds": S}
TABLE |= {"table_memory": 2**21, "scikit_learn_memory": 2**22}
DRAWN = {"exponent": S, "by_power": 3e7, "by_square": 4e7}
COSTS = {name: DRAWN for name in TABLE if name.endswith(("seconds", "memory"))}
RBF = {"gamma": 0.25, "tables": [TABLE], "drawn_on": 60_000, "growth": COSTS}
RBF |= {"whole": {"seconds": 300.0, "bytes": 2**33}}
GROWTH = {"sizes": [2], "exponent": S}
POINTS = {"rounds": 3, "seconds": [S], "bytes": [2**21], "bytes_exponent": S}
SAMPLE = {  # made up, with all figures that a page shows
    "machine": RESULTS["machine"],
    "capsules": {"batch_size": 3, "rounds": 4, "layers": {"CapsNet": LAYER}, "routings": ROUTED},
    "training": {"steps": 5, "rounds": 4}
    | {"datasets": {"mnist": {"capsule": {"batch_size": 3, "steps": STEPS}}}},
    "label_spreading": TABLE | {"rbf": RBF},
    "growth": {"rounds": 5, "points": GROWTH | POINTS}
    | {"steps": {"capsule": {"batch": GROWTH | {"milliseconds": [S]}}}}
    | {"memory": {"capsule": GROWTH | {"bytes": [2**21]}}},
}


def figures(value):
    """Yield the container and the key of each number in nested dictionaries and lists."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        if isinstance(value[key], dict | list):
            yield from figures(value[key])
        elif not isinstance(value[key], str):
            yield value, key


def test_the_page_and_the_results_agree():
    assert (ROOT / report.PAGE).read_text(encoding="utf-8") == report.page(RESULTS)
    assert (set(report.SECTIONS) <= set(RESULTS), RESULTS["quick"]) == (True, False)


def test_the_page_depends_on_nothing_else(tmp_path, monkeypatch):
    given, before = json.loads(json.dumps(SAMPLE)), report.page(SAMPLE)
    monkeypatch.chdir(tmp_path)
    assert (report.page(given), given) == (before, SAMPLE)


@pytest.mark.parametrize("name", report.SECTIONS)
def test_changed_figures_change_the_page(name):
    result = json.loads(json.dumps(SAMPLE[name]))  # no part is in two places
    texts = report.SECTIONS[name](result)
    for text in texts:
        assert len({row.count("|") for row in text.splitlines() if row.startswith("|")}) <= 1
    for holder, key in figures(result):
        kept, holder[key] = holder[key], 9 * holder[key]
        assert report.SECTIONS[name](result) != texts, (holder, key)
        holder[key] = kept
    assert report.SECTIONS[name](result) == texts


def test_what_was_not_measured_has_no_section():
    shown = {name: SAMPLE["label_spreading"][name] for name in TABLE}  # as in older files
    page = report.page({"machine": SAMPLE["machine"], "label_spreading": shown})
    assert "## The label-spreading table" in page
    assert all(word in report.page(SAMPLE) and word not in page for word in ("## Growth", "RBF"))


def test_the_figure_has_every_cost_at_its_place():
    result = json.loads(json.dumps(RBF))
    result["tables"].append(TABLE | {"points": 40, "table_seconds": S | {"median": 6.0}})
    seconds, memory = rbf_figure(result).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in seconds.get_lines()}
    assert lines["the package, measured"] == [[20, 1.5], [40, 6.0]]
    assert lines["scikit-learn, measured"] == [[20, 1.5], [40, 1.5]]
    assert lines["the package, drawn on by the square"] == [[40, 6.0], [60_000, 4e7]]
    assert lines["scikit-learn, by the power"] == [[40, 1.5], [60_000, 3e7]]
    assert lines["the package, measured once"] == [[60_000, 300.0]]
    lines = {line.get_label(): line.get_xydata().tolist() for line in memory.get_lines()}
    assert lines["the package, measured once"] == [[60_000, 8.0]]
    assert lines["scikit-learn, measured"] == [[20, 2**-8], [40, 2**-8]]


def test_costs_that_were_not_measured_are_not_drawn():
    result = json.loads(json.dumps(RBF))
    assert len(rbf_figure(result).legends[0].get_texts()) == 7
    result["whole"] = None
    for nothing in (None, 0):  # no Linux, or less than was free before
        for way in ("table", "scikit_learn"):
            result["tables"][0][f"{way}_memory"] = nothing
            result["growth"][f"{way}_memory"] = dict.fromkeys(DRAWN)
        figure = rbf_figure(result)
        seconds, memory = figure.axes
        assert (len(seconds.get_lines()), len(memory.get_lines())) == (6, 0)
        assert len(figure.legends[0].get_texts()) == 6


def test_a_whole_table_that_was_not_measured_is_said():
    texts = report.rbf(json.loads(json.dumps(RBF)) | {"whole": None})
    assert ["was not measured here" in text for text in texts] == [False, False, True]
    assert not any("was not measured here" in text for text in report.rbf(RBF))


def test_the_command_writes_page_and_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for path in (report.RESULTS, report.PAGE):
        path.parent.mkdir(parents=True)
    for results, written in ((RESULTS, [report.PAGE, report.FIGURE]), ({}, [report.PAGE])):
        report.FIGURE.unlink(missing_ok=True)
        given = results or {"machine": SAMPLE["machine"]}
        report.RESULTS.write_text(json.dumps(given), encoding="utf-8")
        assert report.main([]) == 0
        assert report.PAGE.read_text(encoding="utf-8") == report.page(given)
        assert report.FIGURE.exists() == (report.FIGURE in written)
        assert capsys.readouterr().out == "".join(f"Written to {path}\n" for path in written)
