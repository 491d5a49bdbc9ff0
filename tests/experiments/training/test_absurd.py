"""Divergence is told where the numbers are finite but mean nothing."""

import os

import keras
import numpy as np
import pytest

from capsgan_keras.training.callbacks import NonFiniteError
from experiments.training.absurd import LARGEST_LOSS, LARGEST_WEIGHT, StopOnAbsurd


def end_epoch(logs, weight=0.5):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="last")])
    model.set_weights([np.full((1, 1), weight), np.zeros(1)])
    callback = StopOnAbsurd()
    callback.set_model(model)
    callback.on_epoch_end(1, logs)


def test_what_can_happen_passes():
    end_epoch({"g_loss": 88.0, "d_loss": -5.0, "d_real": 1e9}, weight=-100.0)
    end_epoch({"g_loss": LARGEST_LOSS}, weight=LARGEST_WEIGHT)


@pytest.mark.parametrize("name", ["g_loss", "d_loss", "loss"])
@pytest.mark.parametrize("value", [4.6e22, -1e4, 1001.0])
def test_a_loss_beyond_all_sense(name, value):
    with pytest.raises(NonFiniteError, match=rf"{name} is .* in epoch 2, beyond 1000"):
        end_epoch({name: value})


@pytest.mark.parametrize("weight", [1e6, -1e5])
def test_a_weight_beyond_all_sense(weight):
    with pytest.raises(NonFiniteError, match=r"the weight .*kernel is 1e.* after epoch 2, beyond"):
        end_epoch({"g_loss": 0.5}, weight)


@pytest.mark.parametrize("model", ["capsule", "convolutional"])
@pytest.mark.parametrize("player", ["generator", None])
def test_a_huge_learning_rate_ends_with_status_1(train, tmp_path, capsys, model, player):
    rate = f"--{player or model}-learning-rate"
    assert train("--model", model, rate, "1e6") == 1
    message = capsys.readouterr().err
    assert "training has diverged" in message
    assert "Lower learning rates may help" in message
    assert os.listdir(tmp_path / "runs" / f"{model}-seed0") == ["config.json"]


@pytest.mark.parametrize("rate", ["1e39", "1e308", "nan", "inf", "-1", "0", "1e-300"])
def test_rates_that_float32_cannot_hold_are_refused(train, tmp_path, capsys, rate):
    assert train("--model", "capsule", f"--generator-learning-rate={rate}") == 2
    error = capsys.readouterr().err
    assert "`generator_learning_rate` must be a positive number" in error
    assert not (tmp_path / "runs").exists()
