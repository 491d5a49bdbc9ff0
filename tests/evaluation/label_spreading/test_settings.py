import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import capsgan_keras
from capsgan_keras.evaluation import SemiSupervisedSettings
from capsgan_keras.evaluation.label_spreading.labelled_sets import draw_all

PATH = Path(capsgan_keras.__file__).parent / "evaluation" / "label_spreading" / "settings.py"
SCRIPT = f"""
import dataclasses, json, runpy, sys
settings = runpy.run_path({str(PATH)!r})["SemiSupervisedSettings"]
assert all(field.metadata["help"] for field in dataclasses.fields(settings))
print(json.dumps({{field.name: field.default for field in dataclasses.fields(settings)}}))
print(json.dumps(sorted({{"capsgan_keras", "keras", "numpy"}} & set(sys.modules))))
"""


def test_a_command_line_reads_the_fields_without_keras_and_numpy(run_python):
    defaults, imported = map(json.loads, run_python(SCRIPT).splitlines())
    assert imported == []
    expected = dataclasses.asdict(SemiSupervisedSettings())
    assert defaults == expected | {"n_labelled": list(expected["n_labelled"])}


def test_numpys_numbers_become_pythons_own():
    settings = SemiSupervisedSettings(
        n_labelled=np.array([8, 20]), n_neighbors=np.int64(3), alpha=[np.float64(0.5), 0.25]
    )
    assert settings == SemiSupervisedSettings(n_labelled=(8, 20), n_neighbors=3, alpha=(0.5, 0.25))
    assert json.loads(json.dumps(dataclasses.asdict(settings)))["n_labelled"] == [8, 20]
    assert SemiSupervisedSettings(n_labelled=8) == SemiSupervisedSettings(n_labelled=(8,))
    assert settings.spreading(20) == (3, 0.25)


@pytest.mark.parametrize("n_labelled", [(), "100", (8.0,), (8, True), None])
def test_what_is_no_number_of_images_is_named(n_labelled):
    with pytest.raises(ValueError, match=r"`n_labelled` must .*Received: n_labelled="):
        SemiSupervisedSettings(n_labelled=n_labelled)


@pytest.mark.parametrize("name", ["gamma", "alpha"])
@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan"), "1", True, None, 0, -1])
def test_what_is_no_positive_number_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^`{name}` must .* Received: {name}="):
        SemiSupervisedSettings(kernel="rbf", **{name: value})


def test_more_draws_than_memory_has_room_for_are_refused_at_once():
    settings = SemiSupervisedSettings(n_labelled=(4,), draws=10**15)
    with pytest.raises(ValueError, match="`draws`=1,000,000,000,000,000 takes at least"):
        draw_all(np.arange(8) % 2, settings)
