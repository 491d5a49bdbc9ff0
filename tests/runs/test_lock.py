"""One process writes, a second is told who, and a kill releases what was held."""

import os
import re
import subprocess
import sys

import pytest

from capsgan_keras.runs.lock import InUseError, check_free, working

HOLD = """
import sys, time
from capsgan_keras.runs.lock import working
with working(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of a folder."""
    lock = tmp_path / "run" / ".lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, lock], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process, lock
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_is_told_who_works_there_since_when(holder):
    process, lock = holder
    pattern = rf"{re.escape(str(lock.parent))}: is being written by process {process.pid} on \S+, "
    pattern += r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    with pytest.raises(InUseError, match=pattern):
        check_free(lock)
    with pytest.raises(InUseError, match=pattern), working(lock):
        pass
    assert lock.exists()


def test_a_kill_releases_it(holder):
    process, lock = holder
    process.kill()
    process.wait()
    assert lock.exists()
    check_free(lock)
    with working(lock), pytest.raises(InUseError, match=f"process {os.getpid()} "):
        check_free(lock)
    assert os.listdir(lock.parent) == []


def test_nothing_is_left_but_what_was_written(tmp_path):
    def fail(write):
        with working(tmp_path / "a" / "b" / ".lock"):
            if write:
                (tmp_path / "a" / "mine").write_text("mine")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail(write=False)
    assert os.listdir(tmp_path) == []
    with pytest.raises(KeyboardInterrupt):
        fail(write=True)
    assert os.listdir(tmp_path / "a") == ["mine"]


def test_who_waits_gets_it_when_it_is_free(holder):
    process, lock = holder
    waiting = subprocess.Popen(
        [sys.executable, "-c", HOLD.replace("1])", "1], wait=True)"), lock],
        stdout=subprocess.PIPE,
        text=True,
    )
    process.kill()
    assert waiting.stdout.readline() == "held\n"
    waiting.kill()
    waiting.communicate()
