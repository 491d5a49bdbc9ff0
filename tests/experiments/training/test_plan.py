import copy

import pytest

from capsgan_keras.runs.directory import RunError
from experiments.training.plan import check_same_run

STORED = {
    "settings": {"model": "capsule", "epochs": 5, "capsule_filters": [64, 32], "seed": 0},
    "dataset": {"name": "mnist", "source": "mnist", "checksum": "ab", "images": 60000},
    "versions": {"keras": "3.15.1", "numpy": "2.0.0"},
    "commit": "1234",
}


def changed(part, **values):
    other = copy.deepcopy(STORED)
    other[part] |= values
    return other


def test_the_same_run_goes_on_without_a_word(capsys):
    check_same_run("run", STORED, changed("settings", capsule_filters=(64, 32)))
    assert capsys.readouterr().err == ""


def test_other_settings_are_refused_line_by_line():
    asked = changed("settings", epochs=7, seed=1, capsule_filters=(64,))
    with pytest.raises(RunError) as refusal:
        check_same_run("runs/a", STORED, asked)
    assert str(refusal.value).splitlines() == [
        "runs/a: the run was started with other settings:",
        "  epochs: 5 then, 7 now",
        "  capsule_filters: [64, 32] then, [64] now",
        "  seed: 0 then, 1 now",
    ]


def test_other_images_are_refused():
    with pytest.raises(RunError, match="checksum of the images: ab then, cd now"):
        check_same_run("run", STORED, changed("dataset", checksum="cd", source="other"))


def test_another_source_version_or_commit_warns(capsys):
    asked = changed("versions", keras="3.16.0") | {"commit": None}
    asked["dataset"] |= {"source": "a/copy.npz"}
    check_same_run("run", STORED, asked)
    assert capsys.readouterr().err.splitlines() == [
        "warning: run: source: mnist then, a/copy.npz now",
        "warning: run: keras: 3.15.1 then, 3.16.0 now",
        "warning: run: commit: 1234 then, None now",
    ]


def test_another_number_of_devices_warns(capsys):
    check_same_run("run", STORED, STORED | {"devices": 1})  # older runs had one and do not say it
    assert capsys.readouterr().err == ""
    check_same_run("run", STORED | {"devices": 2}, STORED | {"devices": 4})
    assert capsys.readouterr().err == "warning: run: devices: 2 then, 4 now\n"


def test_a_setting_that_the_other_version_does_not_know_is_not_compared(capsys):
    check_same_run("run", STORED, changed("settings", new_option=3))
    check_same_run("run", changed("settings", old_option=3), STORED)
    assert capsys.readouterr().err == ""
