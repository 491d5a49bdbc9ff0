import subprocess

import keras

from capsgan_keras.runs import provenance
from capsgan_keras.version import __version__


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, "-C", folder, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_versions_name_the_backend_and_this_package():
    versions = provenance.versions()
    assert set(versions) == {"capsgan_keras", "python", "keras", "backend", "numpy"}
    assert versions["capsgan_keras"] == __version__
    assert versions["keras"] == keras.__version__
    assert versions["backend"].startswith(keras.backend.backend() + " ")


def test_git_commit_is_that_of_the_tree_that_tracks_the_file(tmp_path):
    file = tmp_path / "package" / "module.py"
    file.parent.mkdir()
    file.write_text("x = 1\n")
    assert provenance.git_commit(file) is None  # no working tree

    git(tmp_path, "init", "-q")
    assert provenance.git_commit(file) is None  # no commit
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert len(commit) == 40
    assert provenance.git_commit(file) == commit

    file.write_text("x = 2\n")
    assert provenance.git_commit(file) == commit + "-dirty"

    installed = tmp_path / "site-packages" / "module.py"
    installed.parent.mkdir()
    installed.write_text("x = 1\n")
    assert provenance.git_commit(installed) is None  # lies in the tree, but is not tracked
