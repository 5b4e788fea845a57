"""The published jars of Apache Kafka, fetched once by Maven into a cache outside the repository."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tests.services.backend import Unavailable

POM = Path(__file__).with_name("pom.xml")
MAVEN = "{http://maven.apache.org/POM/4.0.0}"


def kafka_version() -> str:
    """The version that the pom names."""
    version = ElementTree.parse(POM).findtext(f"{MAVEN}properties/{MAVEN}kafka.version")
    if version is None:
        raise ValueError(f"{POM} names no kafka.version")
    return version


def jar_folder() -> Path:
    """Where the jars of this very pom belong; it exists only when it is complete."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    return cache / "alphaplus" / f"kafka-{kafka_version()}-{digest}"


def jars() -> Path:
    """The folder of the jars, fetched if need be; Unavailable when Maven cannot.

    Runs that start together wait for the first at a lock; a run that is killed leaves no half folder behind,
    because the folder gets its name when it is complete.
    """
    folder = jar_folder()
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as partial:
            target = Path(partial) / "jars"
            _fetch(target)
            target.rename(folder)
    return folder


def _fetch(target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable("no Maven to fetch the jars of Apache Kafka with")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={target}"]
    run = subprocess.run(
        [maven, "-B", "-q", "-f", str(POM), *goal], capture_output=True, text=True, check=False, timeout=600
    )
    if run.returncode != 0 or not any(target.glob("kafka_2.13-*.jar")):
        said = [line for line in (run.stdout + run.stderr).splitlines() if "ERROR" in line]
        raise Unavailable(f"Maven could not fetch the jars of Apache Kafka: {said[0] if said else 'no message'}")
