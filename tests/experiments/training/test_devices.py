"""Runs on two logical CPU devices, each command in a process of its own."""

import json

import keras
import numpy as np
import pytest

from capsgan_keras.runs import load_run

DEVICES = """
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""
INTERRUPTS = """
from capsgan_keras.runs import RunDirectory
write = RunDirectory.write_checkpoint
def write_and_stop(self, gan, epoch, *rest):
    write(self, gan, epoch, *rest)
    if epoch == 1:
        raise KeyboardInterrupt
RunDirectory.write_checkpoint = write_and_stop
"""
COMMANDS = """
import contextlib, io
from experiments import digits
for arguments in {commands!r}:
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        status = digits.main(arguments)
    print(f"status {{status}}")
    print(errors.getvalue())
"""


@pytest.fixture(scope="module")
def train_on_two(run_python, tiny):
    """Run the digits experiment on two devices, once for each list of arguments."""

    def call(*commands, backend="tensorflow", before=""):
        commands = [[*tiny, "--distribute", *map(str, command)] for command in commands]
        return run_python(
            DEVICES + before + COMMANDS.format(commands=commands),
            KERAS_BACKEND=backend,
            JAX_PLATFORMS="cpu",
            XLA_FLAGS="--xla_force_host_platform_device_count=2",
        )

    return call


@pytest.fixture(scope="module")
def runs(train_on_two, tmp_path_factory):
    """The folder of a run of each model, and what was printed."""
    folder = tmp_path_factory.mktemp("two") / "runs"
    return folder, train_on_two(["--run-dir", folder])


def variables(run):
    gan = load_run(run).gan
    return [np.asarray(v) for v in [*gan.variables, *gan.optimizer.variables]]


@pytest.mark.long
def test_a_run_on_two_devices(runs, finished_runs):
    folder, printed = runs
    assert "status 0" in printed
    assert "--distribute: 2 devices, cpu:0, cpu:1: 128 images of each batch on each" in printed
    for model in ("capsule", "convolutional"):
        run, alone = load_run(folder / f"{model}-seed0"), load_run(finished_runs / f"{model}-seed0")
        assert (run.config["devices"], alone.config["devices"]) == (2, 1)
        assert run.config["settings"] == alone.config["settings"]
        for name, values in alone.history.items():
            assert run.history[name] == pytest.approx(values, abs=2e-3), name
        assert "images/s on 2 devices together." in (run.path / "README.md").read_text()
        assert "devices together" not in (alone.path / "README.md").read_text()
        images = run.gan.generate(50, seed=1).astype(int)
        assert np.abs(images - alone.gan.generate(50, seed=1)).mean() < 1.0


@pytest.mark.long
def test_it_resumes_where_it_was_interrupted(runs, train_on_two, tmp_path):
    arguments = ["--model", "capsule", "--run-dir", tmp_path / "cut"]
    printed = train_on_two(arguments, [*arguments, "--resume"], before=INTERRUPTS)
    assert printed.index("status 130") < printed.index("status 0")
    assert "capsule: epochs 2 to 2" in printed
    assert "warning" not in printed
    whole, cut = (variables(folder / "capsule-seed0") for folder in (runs[0], tmp_path / "cut"))
    for ours, theirs in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.long
def test_another_number_of_devices_goes_on_with_a_warning(runs, train, capsys):
    assert train("--resume", run_dir=runs[0]) == 0
    assert "capsule-seed0: devices: 2 then, 1 now" in capsys.readouterr().err


def test_a_batch_that_cannot_be_divided_is_refused(train, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0", "gpu:1"])
    assert train("--distribute", "--batch-size", "255") == 2
    assert (
        "error: `batch_size` must be a multiple of the number of devices, 2 (gpu:0, gpu:1). "
        "Received: batch_size=255" in capsys.readouterr().err
    )
    assert not (tmp_path / "runs").exists()


def test_a_cluster_of_workers_is_refused(train, monkeypatch, tmp_path, capsys):
    """But on TensorFlow: each of them would train a run of its own, and write it over others'."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    cluster = {"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    assert train("--distribute") == 2
    message = capsys.readouterr().err
    assert "error: `distribute` is for the devices of one machine" in message
    assert f"Received: TF_CONFIG={json.dumps(cluster)}" in message
    assert not (tmp_path / "runs").exists()


JOB = {"JOB_ADDRESSES": "127.0.0.1:1", "NUM_PROCESSES": "2", "PROCESS_ID": "0"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"PROCESS_ID": None}, "must be set together. Received: no KERAS_DISTRIBUTION_PROCESS_ID"),
        ({"JOB_ADDRESSES": ""}, "Received: no KERAS_DISTRIBUTION_JOB_ADDRESSES"),
        ({"JOB_ADDRESSES": "127.0.0.1"}, "JOB_ADDRESSES must be host:port of worker 0"),
        ({"JOB_ADDRESSES": "a:1,:2"}, "Received: a:1,:2"),
        ({"NUM_PROCESSES": "two"}, "NUM_PROCESSES must be the number of workers. Received: two"),
        ({"PROCESS_ID": "2"}, "PROCESS_ID must be 0 on one worker, and another number below 2"),
        ({"PROCESS_ID": "-1"}, "Received: -1"),
    ],
)
def test_wrong_variables_of_keras_are_named(train, monkeypatch, tmp_path, capsys, change, message):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    for name, value in (JOB | change).items():
        if value is not None:
            monkeypatch.setenv(f"KERAS_DISTRIBUTION_{name}", value)
    assert train("--distribute") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_the_variables_of_keras_are_refused_on_tensorflow(train, monkeypatch, capsys):
    for name, value in JOB.items():
        monkeypatch.setenv(f"KERAS_DISTRIBUTION_{name}", value)
    assert train("--distribute") == 2
    assert "On TensorFlow TF_CONFIG names them" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["{bad", "[]", "3"])
def test_a_tf_config_that_is_no_object_is_named(train, monkeypatch, capsys, value):
    monkeypatch.setenv("TF_CONFIG", value)
    assert train("--distribute") == 2
    assert "TF_CONFIG must be" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cluster", "task", "message"),
    [
        ({"worker": "127.0.0.1:1"}, {"type": "worker", "index": 0}, 'must have a "cluster"'),
        (5, {"type": "worker", "index": 0}, 'must have a "cluster" such as'),
        ({"worker": ["127.0.0.1", "a:1"]}, {"type": "worker", "index": 0}, 'Received: {"worker"'),
        ({"worker": []}, {"type": "worker", "index": 0}, 'must have a "cluster"'),
        ({"worker": ["a:1", "b:1"]}, None, "Received: null in a cluster of 2 worker"),
        ({"worker": ["a:1", "b:1"]}, {"type": "worker", "index": 5}, 'must have a "task"'),
        ({"worker": ["a:1", "b:1"]}, {"type": "worker", "index": -1}, 'must have a "task"'),
        ({"worker": ["a:1", "b:1"]}, {"type": "wurker", "index": 0}, 'must have a "task"'),
        ({"worker": ["a:1", "b:1"]}, {"type": ["worker"], "index": 0}, 'must have a "task"'),
    ],
)
def test_a_wrong_cluster_or_task_is_named(
    train, monkeypatch, tmp_path, capsys, cluster, task, message
):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert train("--distribute") == 2
    error = capsys.readouterr().err
    assert "error: TF_CONFIG must have" in error
    assert message in error
    assert not (tmp_path / "runs").exists()


def test_one_device_is_said_to_be_one(train, capsys):
    assert train("--distribute", "--model", "capsule", "--epochs", "1") == 0
    assert "--distribute: there is one device, cpu:0: nothing is" in capsys.readouterr().out


@pytest.mark.long
def test_a_run_on_two_jax_devices(train_on_two, tmp_path):
    arguments = ["--model", "capsule", "--run-dir", tmp_path / "runs"]
    printed = train_on_two(arguments, backend="jax")
    assert "--distribute: 2 devices, cpu:0, cpu:1: 128 images of each batch on each" in printed
    assert "status 0" in printed
    run = load_run(tmp_path / "runs" / "capsule-seed0")
    assert run.config["devices"] == 2
    assert run.gan.generate(3, seed=0).shape == (3, 28, 28, 1)
