"""The fixtures `broker` and `store`: a test that asks for one runs on each backend there is, started when first needed.

One that asks for `one_broker` is about flows, not about brokers: it runs on the one that is most like production's, the
last of those there are.

`--backends embedded,kafka,docker` names those that must be used: a named one that cannot start fails its tests.
Without it all that this machine can provide are used, and the run ends with a line that says which, and why no other.
"""

import uuid
from collections.abc import Callable, Generator, Iterator

import pytest
from xdist.workermanage import WorkerController

from tests.services.backend import Backend, Unavailable
from tests.services.container import ContainerBackend
from tests.services.run import KINDS, NAMES, SESSIONS, Run, parse

RUN = pytest.StashKey[Run]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backends", default="", metavar="NAMES", help=f"brokers and stores that must be used: of {','.join(NAMES)}"
    )


def pytest_configure(config: pytest.Config) -> None:
    try:
        config.stash[RUN] = Run(parse(config.getoption("--backends")))
    except ValueError as wrong:
        raise pytest.UsageError(str(wrong)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind in KINDS:
        if kind in metafunc.fixturenames:
            names: list[str | None] = [c.name for c in metafunc.config.stash[RUN].choose(kind)]
            if f"one_{kind}" in metafunc.fixturenames:
                names = names[-1:]
            cases = [pytest.param(n, marks=pytest.mark.services, id=n or "none") for n in names or [None]]
            metafunc.parametrize(kind, cases, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start processes come last: what was in process before has compiled the kernels, once for all of them."""
    late = {item.path for item in items if item.get_closest_marker("services")}
    items.sort(key=lambda item: item.path in late)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Count what sessions of flows brought with them; a process of several that share the tests out hands it over."""
    run = session.config.stash[RUN]
    run.take({"wanted": list(SESSIONS), "used": SESSIONS, "reasons": {}})
    if isinstance(told := getattr(session.config, "workeroutput", None), dict):
        told["backends"] = run.told()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """What a process used becomes part of the one report."""
    if told := getattr(node, "workeroutput", {}).get("backends"):
        node.config.stash[RUN].take(told)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running Kafka-compatible broker: `bootstrap`, `durable`, `kill()`, `restart()`, `pause()`, `resume()`."""
    yield from _started("broker", request, tmp_path_factory)


@pytest.fixture(scope="session")
def one_broker(broker: Backend) -> Backend:
    """The broker that is most like production's."""
    return broker


@pytest.fixture(scope="session")
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running ClickHouse over HTTP: `host`, `port`, and the same controls."""
    yield from _started("store", request, tmp_path_factory)


@pytest.fixture
def topic_name() -> Callable[[str], str]:
    """Names that no other test and no other run uses."""
    return lambda stem: f"{stem}.{uuid.uuid4().hex[:12]}"


def pytest_runtest_teardown(item: pytest.Item) -> None:
    for backend in _backends(item):
        backend.mend()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for backend in _backends(item):
            report.sections.append((f"log of {backend.label}, last lines", backend.log_tail()))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash[RUN].lines():
        terminalreporter.write_line(line)


def _backends(item: pytest.Item) -> list[Backend]:
    given = getattr(item, "funcargs", {})
    return [given[kind] for kind in KINDS if isinstance(given.get(kind), Backend)]


def _started(kind: str, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[Backend]:
    run = request.config.stash[RUN]
    if request.param is None:
        why_none = ", ".join(f"{name} ({why})" for name, why in run.reasons[kind].items())
        pytest.skip(f"no {kind} can run here: {why_none}; the extra `local` brings one")
    backend = next(c for c in KINDS[kind] if c.name == request.param)(folders.mktemp(f"{kind}-{request.param}"))
    if missing := backend.missing():
        pytest.fail(f"--backends names {request.param}, but as a {kind} it cannot run here: {missing}", pytrace=False)
    try:
        try:
            backend.start()
        except Unavailable as why:
            run.reasons[kind][request.param] = str(why)
            if request.param in run.named:
                pytest.fail(str(why), pytrace=False)
            pytest.skip(f"{why}; name the others in --backends to do without it")
        run.used.setdefault(kind, {})[request.param] = backend.label
        yield backend
    finally:
        backend.stop()
        if isinstance(backend, ContainerBackend):
            backend.remove()
