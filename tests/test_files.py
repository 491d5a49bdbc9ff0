import errno
import json
import os

import pytest

from capsgan_keras import files


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
