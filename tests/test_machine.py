import subprocess
import sys

import pytest

from capsgan_keras import machine
from capsgan_keras.machine import check_memory, memory_bytes


@pytest.fixture
def control_groups(tmp_path, monkeypatch):
    """A machine without limits, whose control groups lie in a folder."""
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "_physical", lambda: [10**12])
    monkeypatch.setattr(machine, "_of_process", list)
    return tmp_path


@pytest.mark.parametrize(
    ("own", "file", "content", "expected"),
    [
        ("0::/a/b\n", "a/b/memory.max", "4096\n", 4096),
        ("0::/a/b\n", "a/memory.max", "8192\n", 8192),  # that of the group around it
        ("0::/\n", "memory.max", "4096\n", 4096),
        ("0::/a/b\n", "a/b/memory.max", "max\n", 10**12),
        ("0::/a/b\n", "c/memory.max", "4096\n", 10**12),
        ("9:memory:/a\n8:cpu:/\n", "memory/a/memory.limit_in_bytes", "4096\n", 4096),
        ("9:memory:/a\n", "memory/memory.limit_in_bytes", "9223372036854771712\n", 10**12),
        ("9:memory:/a\n", "a/memory.max", "no number\n", 10**12),
    ],
)
def test_limits_of_containers_count(control_groups, own, file, content, expected):
    (control_groups / "own").write_text(own, encoding="utf-8")
    (control_groups / file).parent.mkdir(parents=True, exist_ok=True)
    (control_groups / file).write_text(content, encoding="utf-8")
    assert memory_bytes() == expected


def test_the_limit_of_the_process_counts():
    pytest.importorskip("resource")
    code = f"import runpy, sys; print(runpy.run_path({machine.__file__!r})['memory_bytes']())"
    shell = ["sh", "-c", 'ulimit -v 1048576 && exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 1 << 30


def test_where_nothing_is_known_there_is_no_limit(control_groups, monkeypatch):
    monkeypatch.setattr(machine, "_physical", list)
    monkeypatch.setattr(machine, "resource", None)
    assert memory_bytes() == sys.maxsize
    check_memory("`n`=1", 10**15)


def test_refusals_say_what_is_needed_and_what_there_is(monkeypatch):
    monkeypatch.setattr(machine, "memory_bytes", lambda: 2_000_000_000)
    check_memory("`n`=1", 2_000_000_000)
    message = r"^`n`=3 takes at least 1,002\.5 GB of memory\. This process can have 2\.0 GB$"
    with pytest.raises(ValueError, match=message):
        check_memory("`n`=3", 1_002_500_000_000)
