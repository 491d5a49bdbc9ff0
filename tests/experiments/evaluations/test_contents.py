"""Result files with valid JSON and wrong contents are refused where they are read."""

import json

import pytest

from experiments import gam, report, semi_supervised

METRIC = ["--samples", "40", "--verbose", "0"]
TABLE = ["--n-labelled", "20", "--draws", "2", "--n-unlabelled", "30", "--verbose", "0"]
WRONG = [None, [], {}, "x", -1, 10**400, float("nan"), [[]], {"a": 1}]


@pytest.fixture(scope="module")
def results(finished_runs, tmp_path_factory):
    """What the files of two evaluations hold, by their names."""
    folder = tmp_path_factory.mktemp("contents")
    runs = [str(finished_runs / f"{model}-seed0") for model in ("capsule", "convolutional")]
    assert gam.main([*runs, *METRIC, "--output", str(folder)]) == 0
    assert semi_supervised.main([*runs, *TABLE, "--output", str(folder)]) == 0
    return {path.name: path.read_text() for path in folder.glob("*.json")}


def changed(text, place, value):
    content = json.loads(text)
    *parts, last = place
    inner = content
    for part in parts:
        inner = inner[part]
    if value is KeyError:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(content)


PLACES = [
    ("gam.json", ["identity", "runs"]),
    ("gam.json", ["identity", "runs", 1]),
    ("gam.json", ["identity", "runs", 1, "model"]),
    ("gam.json", ["results", "pairs", 0, "winner"]),
    ("gam.json", ["results", "pairs", 0, "auc"]),
    ("gam.json", ["results", "pairs", 0, "a"]),
    ("gam.json", ["results", "rows", "paper"]),
    ("gam.json", ["results", "rows", "paper", 0, "name"]),
    ("gam.json", ["results", "rows", "paper", 0, "on_samples"]),
    ("gam.json", ["results", "grids"]),
    ("semi_supervised.json", ["identity", "settings", "n_labelled"]),
    ("semi_supervised.json", ["results", "tables"]),
    ("semi_supervised.json", ["results", "tables", "labels_only"]),
    ("semi_supervised.json", ["results", "tables", "capsule-seed0", "cells"]),
    ("semi_supervised.json", ["results", "tables", "capsule-seed0", "cells", 0, "error"]),
    ("semi_supervised.json", ["results", "tables", "capsule-seed0", "settings", "n_labelled"]),
]


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_wrong_contents_are_named_by_every_reader(results, tmp_path, capsys, name, place):
    for value in [*WRONG, KeyError]:
        (tmp_path / name).write_text(changed(results[name], place, value))
        assert report.main([str(tmp_path)]) == 2, value
        error = capsys.readouterr().err
        assert name in error
        assert "Traceback" not in error


UNFINISHED = {"grids": (None, {}), "pairs": (None, []), "rows": (None, {})}
"""What the parts of an unfinished file may hold of what is wrong in a finished one."""


@pytest.mark.parametrize(
    ("part", "value"),
    [(part, value) for part in UNFINISHED for value in WRONG if value not in UNFINISHED[part]],
)
def test_an_unfinished_file_with_wrong_contents_is_not_taken_up(
    finished_runs, results, tmp_path, capsys, part, value
):
    content = json.loads(changed(results["gam.json"], ["results", part], value))
    text = json.dumps(content | {"finished": False})
    (tmp_path / "gam.json").write_text(text)
    runs = [str(finished_runs / f"{model}-seed0") for model in ("capsule", "convolutional")]
    assert gam.main([*runs, *METRIC, "--output", str(tmp_path)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "gam.json").read_text() == text


def test_a_finished_file_with_wrong_contents_can_be_replaced(finished_runs, results, tmp_path):
    path = tmp_path / "gam.json"
    path.write_text(changed(results["gam.json"], ["results", "pairs"], []))
    runs = [str(finished_runs / f"{model}-seed0") for model in ("capsule", "convolutional")]
    arguments = [*runs, *METRIC, "--output", str(tmp_path)]
    assert gam.main(arguments) == 2
    assert gam.main([*arguments, "--overwrite"]) == 0
    assert len(json.loads(path.read_text())["results"]["pairs"]) == 2


def test_json_of_great_depth_is_refused(finished_runs, tmp_path, capsys):
    (tmp_path / "gam.json").write_text("[" * 200_000 + "]" * 200_000)
    assert report.main([str(tmp_path)]) == 2
    assert "too deep" in capsys.readouterr().err
