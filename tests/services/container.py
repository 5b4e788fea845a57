"""A backend that is a container, by testcontainers, where a Docker engine answers."""

import functools
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tests.services.backend import Backend, Unavailable

if TYPE_CHECKING:
    from docker.models.containers import Container  # type: ignore[import-untyped]
    from testcontainers.core.container import DockerContainer

# Asked in a process of its own: a refused docker client leaves an open socket behind, and warnings are errors.
ASK = "from testcontainers.core.docker_client import DockerClient; print(DockerClient().client.version()['Version'])"


@functools.cache
def engine_version() -> str | None:
    """The version of the Docker engine that answers testcontainers, None when none does."""
    try:
        run = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        return None
    return run.stdout.strip() if run.returncode == 0 else None


class ContainerBackend(Backend):
    """One container on a fixed loopback port: a restarted one is found where the killed one was."""

    name = "docker"
    durable = True
    image: ClassVar[str]
    inner_port: ClassVar[int]
    start_limit_s = 120.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._container: DockerContainer | None = None
        self._inner: Container | None = None

    @classmethod
    def missing(cls) -> str | None:
        return None if engine_version() else "no engine answers"

    @property
    def label(self) -> str:
        return f"docker {self.image} (engine {engine_version()})"

    def environment(self) -> dict[str, str]:
        """The container's variables."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it serves requests now."""
        raise NotImplementedError

    @property
    def inner(self) -> "Container":
        """The engine's handle; RuntimeError before the first start."""
        if self._inner is None:
            raise RuntimeError(f"{self.label} was not started")
        return self._inner

    @property
    def running(self) -> bool:
        if self._inner is None:
            return False
        self._inner.reload()
        return str(self._inner.status) in ("running", "paused")

    def start(self) -> None:
        if self._container is None:
            from testcontainers.core.container import DockerContainer

            container = DockerContainer(self.image).with_envs(**self.environment())
            # its own `with_bind_ports` would open the port on every interface
            container.ports[f"{self.inner_port}/tcp"] = ("127.0.0.1", self.port)  # type: ignore[assignment]
            self._container = container
            self._pull(container)
            self._inner = container.start().get_wrapped_container()
        else:
            self.inner.start()
        self.ended_by_us = False
        end = time.monotonic() + self.start_limit_s
        while not self.answers():
            if not self.running or time.monotonic() > end:
                raise RuntimeError(f"{self.label} did not answer\n{self.log_tail()}")
            time.sleep(0.1)

    def _pull(self, container: "DockerContainer") -> None:
        from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]

        images = container.get_docker_client().client.images
        try:
            images.get(self.image)
        except ImageNotFound:
            try:
                images.pull(self.image)
            except DockerException as why:
                raise Unavailable(f"{self.image} cannot be pulled: {str(why).splitlines()[0]}") from None

    def stop(self) -> None:
        if self.running:
            if self.paused:
                self.resume()
            self.ended_by_us = True
            self.inner.stop(timeout=30)

    def kill(self) -> None:
        self.ended_by_us = True
        self.inner.kill()
        self.inner.wait()
        self.paused = False

    def pause(self) -> None:
        self.inner.pause()
        self.paused = True

    def resume(self) -> None:
        self.inner.unpause()
        self.paused = False

    def log_tail(self) -> str:
        return bytes(self.inner.logs(tail=80)).decode(errors="replace")

    def remove(self) -> None:
        """Delete the container and its data."""
        if self._container is not None:
            self._container.stop()
            self._container = self._inner = None
