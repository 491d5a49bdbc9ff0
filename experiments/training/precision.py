"""Which arithmetic `--precision auto` stands for on this machine."""

import re
from pathlib import Path

import keras

CPU_FLAGS = ("avx512_bf16", "amx_bf16")
GPU_CAPABILITY = (8, 0)
"""The first NVIDIA GPUs that multiply in bfloat16 (Ampere)."""


def resolve_precision(requested):
    """Return a dtype policy and why it was chosen.

    Args:
        requested: The name of a policy, or `"auto"`: `"mixed_bfloat16"` where the hardware has
            instructions for it, else `"float32"`.

    Returns:
        The policy's name and a phrase for the log.
    """
    if requested != "auto":
        return requested, "as asked for"
    has_bfloat16, reason = _DETECTORS[keras.backend.backend()]()
    return ("mixed_bfloat16" if has_bfloat16 else "float32"), reason


def cpu_flags(path="/proc/cpuinfo"):
    """Return which of the processor's bfloat16 extensions Linux lists (x86), as a list."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return []
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    return [flag for flag in CPU_FLAGS if flag in flags]


def _tensorflow():
    import tensorflow as tf  # one of two backends

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return _cpu()
    details = tf.config.experimental.get_device_details(gpus[0])
    return _gpu(details.get("compute_capability"))


def _jax():
    import jax  # one of two backends

    device = jax.devices()[0]
    if device.platform == "tpu":
        return True, "TPUs compute in bfloat16"
    if device.platform == "gpu":
        # AMD's GPUs have a name there, such as gfx90a.
        parts = re.fullmatch(r"(\d+)\.(\d+)", str(getattr(device, "compute_capability", "")))
        return _gpu(parts and (int(parts[1]), int(parts[2])))
    return False, "on a CPU JAX is not faster in bfloat16"


def _gpu(capability):
    if capability is None:
        return False, "the GPU's compute capability is not known"
    name = ".".join(map(str, capability))
    return capability >= GPU_CAPABILITY, f"the GPU's compute capability is {name}"


def _cpu():
    flags = cpu_flags()
    if flags:
        return True, f"the processor has {' and '.join(flags)}"
    return False, "the processor has no bfloat16 instructions"


_DETECTORS = {"tensorflow": _tensorflow, "jax": _jax}
