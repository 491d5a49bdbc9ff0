import contextlib
import errno
import json
import os

import numpy as np
import pytest

from capsgan_keras import files
from capsgan_keras.plotting import save_image


def write_half(path, error):
    with files.replacing(path) as partial:
        partial.write_text("ne")
        raise error


def write_half_a_folder(path, error):
    with files.replacing(path) as partial:
        partial.mkdir()
        (partial / "a.txt").write_text("content")
        raise error


def test_a_file_takes_the_place_of_the_old_one_when_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with files.replacing(path) as partial:
        assert partial.parent == path.parent
        assert partial.suffix == ".txt"
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_no_half_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"):
        write_half(path, OSError(errno.ENOSPC, "No space left on device"))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_appears_when_whole(tmp_path):
    with files.replacing(tmp_path / "new") as partial:
        partial.mkdir()
        (partial / "inner").mkdir()
        (partial / "inner" / "a.txt").write_text("content")
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "new" / "inner" / "a.txt").read_text() == "content"
    assert os.listdir(tmp_path) == ["new"]


def test_a_failure_leaves_no_half_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_half_a_folder(tmp_path / "new", KeyboardInterrupt())
    assert os.listdir(tmp_path) == []


def test_what_a_kill_has_left_is_in_nobodys_way(tmp_path):
    leftover = tmp_path / ".writing-new"
    leftover.mkdir()
    (leftover / "a.txt").write_text("half")
    (tmp_path / ".writing-b.json").write_text("half")
    with files.replacing(tmp_path / "new") as partial:
        partial.write_text("a file this time")
    assert (tmp_path / "new").read_text() == "a file this time"
    files.remove_partial(tmp_path)
    assert os.listdir(tmp_path) == ["new"]


def test_json_has_no_numbers_that_are_not_finite(tmp_path):
    files.write_json(tmp_path / "a.json", {"loss": 0.1 + 0.2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"loss": 0.1 + 0.2}
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"loss": 0.1 + 0.2}


# ---- folders that take the place of others


def write_folder(path, text):
    with files.replacing(path) as partial:
        partial.mkdir()
        (partial / "a.txt").write_text(text)


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    for text in ("old", "new"):
        write_folder(tmp_path / "a", text)
    assert (tmp_path / "a" / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["a"]


class Killed(BaseException):
    """Stands for a kill: nothing is done after it."""


@pytest.mark.parametrize("step", range(12))
def test_a_kill_at_each_step_leaves_the_old_or_the_new_folder(tmp_path, monkeypatch, step):
    write_folder(tmp_path / "a", "old")
    left = iter(range(step))

    def killing(function):
        def step_of(*arguments, **options):
            if next(left, None) is None:
                raise Killed
            return function(*arguments, **options)

        return step_of

    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync"):
            patch.setattr(os, name, killing(getattr(os, name)))
        with contextlib.suppress(Killed):
            write_folder(tmp_path / "a", "new")
    standing = files.standing(tmp_path / "a")
    assert (standing / "a.txt").read_text() in ("old", "new")
    write_folder(tmp_path / "a", "newest")
    assert (tmp_path / "a" / "a.txt").read_text() == "newest"
    assert os.listdir(tmp_path) == ["a"]


def test_a_replacement_that_fails_brings_the_old_folder_back(tmp_path, monkeypatch):
    write_folder(tmp_path / "a", "old")

    def fail(*paths):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(PermissionError):
            write_folder(tmp_path / "a", "new")
    assert (tmp_path / "a" / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


# ---- messages


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("cannot write mode F as PNG"), "cannot write mode F as PNG"),
        (OSError(errno.ENOSPC, "No space left"), "[Errno 28] No space left: '{path}'"),
        (OSError(errno.EIO, "Broken", "/other"), "[Errno 5] Broken: '/other'"),
        (ValueError("no number"), "no number"),
    ],
)
def test_the_message_of_an_error_stays(tmp_path, error, message):
    with pytest.raises(type(error)) as raised:
        write_half(tmp_path / "a.png", error)
    assert str(raised.value) == message.format(path=tmp_path / "a.png")


def test_json_of_great_depth_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[" * 200_000 + "]" * 200_000)
    with pytest.raises(ValueError, match="too deep"):
        files.read_json(tmp_path / "a.json")


@pytest.mark.parametrize("write", [files.write_text, save_image])
def test_a_file_never_takes_the_place_of_a_folder(tmp_path, write):
    folder = tmp_path / "mine"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "kept.txt").write_text("kept")
    content = "text" if write is files.write_text else np.zeros((4, 4, 1), "uint8")
    with pytest.raises(IsADirectoryError, match=r"Is a folder, and not a file.*mine"):
        write(folder, content)
    assert (folder / "below" / "kept.txt").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
