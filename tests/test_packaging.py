"""What `pip` gets: the archive and the wheel, built from a clone, hold what they need alone."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STORED = {"README.md", "config.json", "gan.keras", "history.csv", "metrics.json", "samples.png"}
ARCHIVE = {
    *("LICENSE", "README.md", "MANIFEST.in", "PKG-INFO", "pyproject.toml", "requirements.txt"),
    "setup.cfg",
}


def run(*command, cwd, **environment):
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The archive of a clone, and the wheel of that archive."""
    folder = tmp_path_factory.mktemp("packaging")
    run("git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), folder / "clone", cwd=folder)
    # As a front end does it, with the setuptools that is here.
    build = "from setuptools.build_meta import build_{0}; build_{0}(sys.argv[1])"
    build = "import sys; " + build
    run(sys.executable, "-c", build.format("sdist"), folder / "dist", cwd=folder / "clone")
    (archive,) = (folder / "dist").glob("*.tar.gz")
    shutil.unpack_archive(archive, folder, filter="data")
    source = folder / archive.name.removesuffix(".tar.gz")
    run(sys.executable, "-c", build.format("wheel"), folder / "dist", cwd=source)
    (wheel,) = (folder / "dist").glob("*.whl")
    return folder / "clone", archive, wheel


def package_of(clone):
    """The tracked files of the package in a clone."""
    return set(run("git", "ls-files", "capsgan_keras", cwd=clone).stdout.split())


@pytest.mark.long
def test_the_archive_holds_the_package_and_what_builds_it(built):
    clone, archive, _ = built
    with tarfile.open(archive) as tar:
        names = {member.name.partition("/")[2] for member in tar.getmembers() if member.isfile()}
    names = {name for name in names if not name.startswith("capsgan_keras.egg-info/")}
    assert names == package_of(clone) | ARCHIVE


@pytest.mark.long
def test_the_wheel_holds_the_package_alone(built):
    clone, _, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
    info = metadata.rpartition("/")[0]
    files = {name for name in names if not name.startswith(info)}
    assert files == package_of(clone)
    assert f"{info}/licenses/LICENSE" in names
    assert "capsgan_keras/py.typed" in files
    stored = {name for name in files if name.startswith("capsgan_keras/pretrained/mnist/capsule/")}
    assert {name.rpartition("/")[2] for name in stored} == STORED
    assert "\nLicense-Expression: Apache-2.0\n" in text or "\nLicense: Apache-2.0\n" in text
    required = re.findall(r"^Requires-Dist: (\S+)$", text, re.MULTILINE)
    assert required == (ROOT / "requirements.txt").read_text().split()


@pytest.mark.long
def test_the_wheel_works_in_an_environment_without_the_repository(built, tmp_path):
    _, _, wheel = built
    venv.create(tmp_path / "env")
    places = [str(tmp_path / "env" / folder) for folder in ("bin", "Scripts")]
    python = shutil.which("python", path=os.pathsep.join(places))
    pip = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    (site,) = (tmp_path / "env").rglob("site-packages")
    # Only the other packages are those of these tests.
    others = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site / "others.pth").write_text("\n".join(others))

    listed = run(python, "-m", "capsgan_keras", cwd=tmp_path, PYTHONPATH="").stdout
    assert "python -m capsgan_keras.demo" in listed
    demo = [python, "-m", "capsgan_keras.demo", "--epochs", "1", "--folder", "new"]
    done = run(*demo, cwd=tmp_path, PYTHONPATH="", TF_CPP_MIN_LOG_LEVEL="3")
    assert done.stderr == ""
    assert "samples/epoch-0001.png" in done.stdout
    assert (tmp_path / "new" / "samples" / "epoch-0001.png").is_file()
    script = (
        "import capsgan_keras, sys; gan = capsgan_keras.load_pretrained('capsule', 'cifar10');"
        "print(capsgan_keras.__file__, gan.generate(2, seed=0).shape)"
    )
    output = run(python, "-c", script, cwd=tmp_path, PYTHONPATH="").stdout
    assert output.startswith(str(site))
    assert output.endswith("(2, 32, 32, 3)\n")
