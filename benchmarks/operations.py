"""Which operations a step's time goes to, by TensorFlow's profiler."""

import collections
import re
import tempfile
from pathlib import Path

import tensorflow as tf

_OPERATION = re.compile(r"^[^:]+:(_?[A-Z]\w*)$")


def profile(function, calls=5, largest=8):
    """Profile a function that runs a `tf.function`, compiled already.

    Args:
        function: Function without arguments.
        calls: How often to call it.
        largest: How many operations to name.

    Returns:
        List of dictionaries `operation` (TensorFlow's name of the kind; `_Mkl...` and `_Fused...`
        are what its optimizer made of several) and `share` of the time of all operations, the
        largest first. Operations that run at the same time count each.
    """
    # Only here: the format of the profiler's file is no part of TensorFlow's documented interface.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(calls):
            function()
        tf.profiler.experimental.stop()
        (path,) = Path(folder).glob("**/*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    times = collections.Counter()
    for plane in space.planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                match = _OPERATION.match(names[event.metadata_id])
                if match and _is_operation(match[1]):
                    times[match[1]] += event.duration_ps
    total = sum(times.values())
    return [{"operation": name, "share": time / total} for name, time in times.most_common(largest)]


def _is_operation(name):
    return hasattr(tf.raw_ops, name) or name.startswith("_")
