"""Who is kept out of the embedded store, and what those who are let in cannot do with it."""

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.services.test_store import SECRETS, ask, end, launch, port_of

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
SECRET_OF_ANOTHER = "not for the store's users"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doors") / "data"


@pytest.fixture(scope="module")
def port(data: Path) -> Iterator[int]:
    process = launch(data)
    try:
        port = port_of(process, data)
        assert ask(port, "POST", "/", b"CREATE TABLE kept (a Int64) ENGINE = MergeTree ORDER BY a")[0] == 200
        assert ask(port, "POST", "/", b"INSERT INTO kept VALUES (7)")[0] == 200
        yield port
        assert ask(port, "POST", "/", b"SELECT a FROM kept")[2] == b"7\n"
    finally:
        assert end(process) == ""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A file outside the store's folder that its process, by the system's own rights, can read."""
    file = tmp_path / "elsewhere.csv"
    file.write_text(SECRET_OF_ANOTHER + "\n")
    return file


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/?query=SELECT+1", None),
        ("GET", "/?query=SELECT+1&readonly=0", None),
        ("GET", "/?user=default&password=&query=SELECT+1", None),
        ("POST", "/", b"SELECT a FROM kept"),
        ("POST", "/", b"INSERT INTO kept VALUES (1)"),
        ("POST", "/absent", b""),
        ("GET", "/?query=", None),
    ],
)
def test_without_a_secret_nothing_is_answered(port: int, method: str, path: str, body: bytes | None) -> None:
    status, headers, said = ask(port, method, path, body, user="")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert b"7" not in said and "WWW-Authenticate" not in headers


@pytest.mark.parametrize("shown", ["", "x", "default:", "reader:", "default:wrong", ":", "default"])
def test_a_wrong_secret_is_none(port: int, shown: str) -> None:
    basic = "Basic " + base64.b64encode(shown.encode()).decode()
    assert ask(port, "POST", "/", b"SELECT 1", user="", Authorization=basic)[0] == 403
    assert ask(port, "POST", "/", b"SELECT 1", user="", Authorization=f"Basic {shown}")[0] == 403
    swapped = {"X_ClickHouse_User": "default", "X_ClickHouse_Key": SECRETS[port]["reader"]}
    assert ask(port, "POST", "/", b"SELECT 1", user="", **swapped)[0] == 403


def test_secrets_and_tables_are_their_owners_alone(port: int, data: Path) -> None:
    assert stat.S_IMODE(data.stat().st_mode) == stat.S_IMODE((data / "store").stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "store.secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "store.reader").stat().st_mode) == 0o600
    assert len({*SECRETS[port].values()}) == 2


def test_another_user_of_the_machine_reads_and_writes_nothing(port: int, data: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can become somebody else, with setpriv of util-linux")
    program = (
        "import http.client, sys\n"
        "port, data = int(sys.argv[1]), sys.argv[2]\n"
        "for file in ('store.secret', 'store.reader', 'store.json', 'store/metadata'):\n"
        "    try: open(f'{data}/{file}').read(); print('read', file)\n"
        "    except PermissionError: pass\n"
        "for method, path, body in (('POST', '/', 'SELECT a FROM kept'), ('POST', '/', 'INSERT INTO kept VALUES (1)'),\n"
        "    ('GET', '/?query=SELECT+a+FROM+kept&readonly=0', None), ('POST', '/', \"SELECT file('/etc/shadow')\")):\n"
        "    c = http.client.HTTPConnection('127.0.0.1', port); c.request(method, path, body)\n"
        "    a = c.getresponse(); a.read(); print(a.status)\n"
    )
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
    run = subprocess.run(
        [*as_nobody, python, "-c", program, str(port), str(data)], cwd="/", capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("403\n" * 4, "")


READS = (
    "SELECT file('{0}')",
    "SELECT `file`/**/('{0}')",
    "SELECT arrayMap(x -> file(x), ['{0}'])",
    "SELECT * FROM file('{0}', 'LineAsString')",
    "SELECT * FROM null(concat('a Int8, b String ALIAS fi', 'le(''{0}'')'))",
    "SELECT * FROM `{0}`",
    "SELECT * FROM working_folder.`{0}`",
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '{0}'",
    "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '{0}'",
    "DESCRIBE TABLE file('{0}')",
    "SELECT * FROM sqlite('{0}', 't')",
    "SELECT * FROM executable('{0}', 'CSV', 'a Int8')",
    "SELECT * FROM mergeTreeIndex(default, file('{0}'))",
    "EXPLAIN SELECT * FROM file('{0}', 'LineAsString')",
    "SELECT * FROM icebergLocal('{0}')",
    "SELECT * FROM s3('http://127.0.0.1:9/{0}')",
)
WRITES = (
    "SELECT 1 INTO OUTFILE '{0}.new'",
    "SELECT 1 INTO/**/OUTFILE '{0}.new' TRUNCATE FORMAT CSV",
    "SHOW TABLES into outfile '{0}.new'",
    "EXPLAIN SELECT 1 InTo OuTfIlE '{0}.new'",
    "INSERT INTO FUNCTION file('{0}.new', 'CSV') SELECT 1",
    "CREATE TABLE f (a Int8) ENGINE = File(CSV, '{0}.new')",
    "CREATE TABLE g (a Int8) ENGINE = URL('http://127.0.0.1:9/', CSV)",
    "CREATE TABLE h (a Int8) ENGINE = Executable('{0}', CSV)",
    "CREATE TABLE i (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '{0}.new')",
    "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(FILE(path '{0}' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE FUNCTION e AS x -> x",
    "CREATE USER u",
    "CREATE DATABASE fs ENGINE = Filesystem('{0}')",
    "CREATE NAMED COLLECTION c AS url = 'http://127.0.0.1:9/'",
    "BACKUP TABLE kept TO File('{0}.new')",
    "RESTORE TABLE kept FROM File('{0}')",
    "ATTACH TABLE j FROM '{0}' (a Int8) ENGINE = MergeTree ORDER BY a",
    "INSERT INTO kept FROM INFILE '{0}' FORMAT CSV",
    "SYSTEM FLUSH LOGS",
    "SYSTEM SHUTDOWN",
    "GRANT ALL ON *.* TO default",
)
ONLY_THE_WRITER = (
    "INSERT INTO kept VALUES (1)",
    "INSERT INTO kept FORMAT CSV\n1",
    "CREATE TABLE made (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE made (a Int8)",
    "ALTER TABLE kept DELETE WHERE 1",
    "TRUNCATE TABLE kept",
    "DROP TABLE kept",
    "OPTIMIZE TABLE kept FINAL",
    "KILL QUERY WHERE 1",
    "SET readonly = 0",
    "SET ROLE writer",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1; INSERT INTO kept VALUES (1)",
    "SELECT 1; SET ROLE ALL",
)


@pytest.mark.parametrize("user", ["reader", "default"])
@pytest.mark.parametrize("sql", [*READS, *WRITES])
def test_nobody_reaches_beyond_the_tables(port: int, elsewhere: Path, user: str, sql: str) -> None:
    status, _, said = ask(port, "POST", "/", sql.format(elsewhere).encode(), user=user)
    assert status != 200, said
    assert SECRET_OF_ANOTHER.encode() not in said
    assert [file.name for file in elsewhere.parent.iterdir()] == [elsewhere.name]


@pytest.mark.parametrize("sql", ONLY_THE_WRITER)
def test_who_reads_does_not_write(port: int, sql: str) -> None:
    status, headers, said = ask(port, "POST", "/", sql.encode(), user="reader")
    assert (status, headers["X-ClickHouse-Exception-Code"]) in ((500, "164"), (400, "62"), (403, "497")), said


@pytest.mark.parametrize("user", ["reader", "default"])
def test_no_address_is_asked(port: int, user: str) -> None:
    asked: list[str] = []

    class Seen(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Seen)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    there = f"http://127.0.0.1:{server.server_address[1]}"
    for sql in (
        f"SELECT * FROM url('{there}/a', 'CSV', 'a String')",
        f"SELECT * FROM s3('{there}/b/c.csv')",
        f"SELECT * FROM remote('127.0.0.1:{server.server_address[1]}', system.one)",
        f"CREATE TABLE w (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = web, endpoint = '{there}/w/')",
        f"CREATE TABLE u (a Int8) ENGINE = URL('{there}/u', CSV)",
    ):
        assert ask(port, "POST", "/", sql.encode(), user=user)[0] != 200
    server.shutdown()
    server.server_close()
    assert asked == []


@pytest.mark.parametrize("user", ["reader", "default"])
def test_a_get_reads_whatever_its_address_says(port: int, user: str) -> None:
    for more in ("", "&readonly=0", "&readonly=2", "&readonly="):
        address = "/?query=" + quote("INSERT INTO kept VALUES (1)") + more
        assert ask(port, "GET", address, user=user)[0] == 500
        assert ask(port, "GET", "/?query=SELECT+a+FROM+kept" + more, user=user)[2] == b"7\n"


@pytest.mark.parametrize(
    "setting",
    ["format_template_row", "format_schema", "dialect", "input_format_record_errors_file_path", "output_format_schema"],
)
@pytest.mark.parametrize("user", ["reader", "default"])
def test_settings_that_name_files_are_nobodys(port: int, elsewhere: Path, setting: str, user: str) -> None:
    address = "/?" + urlencode({"query": "SELECT 1", setting: elsewhere})
    assert ask(port, "GET", address, user=user)[0] in (404, 500)
    inside = f"SELECT 1 SETTINGS {setting} = '{elsewhere}'"
    assert ask(port, "POST", "/", inside.encode(), user=user)[1]["X-ClickHouse-Exception-Code"] in ("452", "36")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": ""},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_page_is_refused_even_with_the_secret(port: int, headers: dict[str, str]) -> None:
    for path in ("/?query=SELECT+1", "/ping"):
        status, answered, _ = ask(port, "GET", path, **headers)
        assert status == 403
        assert not any(name.lower().startswith("access-control") for name in answered)


def test_a_loose_or_a_strange_secret_stops_the_start_in_one_line(tmp_path: Path) -> None:
    for spoil in (
        lambda file: file.chmod(0o644),
        lambda file: file.write_text("short"),
        lambda file: (file.unlink(), file.symlink_to("/dev/null")),
    ):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        file = folder / "store.secret"
        file.touch(mode=0o600)
        file.write_text("x" * 43)
        spoil(file)
        process = launch(folder)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 1
        assert said.startswith("store: ") and "store.secret" in said and said.count("\n") == 1


def test_tables_of_a_store_from_before_are_still_there(tmp_path: Path) -> None:
    program = (
        "import sys; from chdb.session import Session\n"
        "s = Session(sys.argv[1]); s.query('CREATE TABLE old (a Int64) ENGINE = MergeTree ORDER BY a')\n"
        "s.query('INSERT INTO old VALUES (5)'); s.query('CREATE VIEW doubled AS SELECT 2 * a AS b FROM old'); s.close()"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "store")], check=True, capture_output=True)
    for _ in range(2):
        process = launch(tmp_path)
        port = port_of(process, tmp_path)
        assert ask(port, "POST", "/", b"SELECT a, b FROM old, doubled")[2] == b"5\t10\n"
        end(process)


def test_the_fence_leaves_a_thread_its_folder_and_nothing_else(tmp_path: Path) -> None:
    program = (
        "import json, socket, sys; from pathlib import Path; from deploy.local.fence import fence\n"
        "inside, outside, server = Path(sys.argv[1]), Path(sys.argv[2]), socket.create_server(('127.0.0.1', 0))\n"
        "told = [fence(inside)]\n"
        "def tried(do):\n"
        "    try: do(); told.append('done')\n"
        "    except OSError as error: told.append(type(error).__name__)\n"
        "tried(lambda: (inside / 'a').write_text('x')); tried(lambda: (inside / 'a').read_text())\n"
        "tried(lambda: (outside / 'a').write_text('x')); tried(lambda: (outside / 'b').read_text())\n"
        "tried(lambda: (outside / 'b').unlink()); tried(lambda: Path('/etc/passwd').read_text())\n"
        "tried(lambda: Path('/proc/self/environ').read_text()); tried(lambda: Path('README.md').read_text())\n"
        "tried(lambda: socket.create_connection(server.getsockname(), 1)); print(json.dumps(told))"
    )
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "outside" / "b").touch()
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "inside"), str(tmp_path / "outside")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    has_one, *told = json.loads(run.stdout)
    if not has_one:
        pytest.skip("this system has no Landlock; the engine's own rights are all there is")
    assert told[:8] == ["done"] * 2 + ["PermissionError"] * 6
    assert told[8] in ("PermissionError", "done"), "connections are fenced from Linux 6.7 on"


def alphaplus(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "flows", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_query_reads_a_running_store_and_prints_an_address_that_only_reads(port: int, data: Path) -> None:
    assert alphaplus("query", "SELECT a FROM kept", "--format", "json", "--data", str(data)).stdout == '{"a":7}\n'
    refused = alphaplus("query", "TRUNCATE TABLE kept", "--data", str(data))
    assert refused.returncode == 1 and "only reads" in refused.stderr and refused.stderr.count("\n") == 1
    shown = alphaplus("query", "--url", "--data", str(data)).stdout.strip()
    assert shown == f"http://reader:{SECRETS[port]['reader']}@127.0.0.1:{port}/"
    user_and_secret = urlsplit(shown).netloc.rpartition("@")[0]
    basic = "Basic " + base64.b64encode(user_and_secret.encode()).decode()
    assert ask(port, "GET", "/?query=SELECT+a+FROM+kept", user="", Authorization=basic)[2] == b"7\n"
    for arguments in (("--url", "--data", str(data / "nowhere")), ("--data", str(data))):
        none = alphaplus("query", *arguments)
        assert none.returncode == 2 and none.stderr.count("\n") == 1


def test_what_a_command_leaves_behind_is_its_owners_alone(tmp_path: Path) -> None:
    process = launch(tmp_path / "data")
    port_of(process, tmp_path / "data")
    end(process)
    asked = alphaplus("query", "SELECT 1", "--format", "csv", "--data", str(tmp_path / "data"))
    assert (asked.stdout, asked.stderr) == ('"1"\n1\n', "")
    left = [*(tmp_path / "data").rglob("*")]
    assert any(file.name == "settings.json" for file in left)
    assert [file for file in left if not file.is_symlink() and file.stat().st_mode & 0o077] == []


PAGE = """<script>
const at = "http://127.0.0.1:%d", told = [];
async function tries() {
  const sql = "SELECT a FROM kept", wanted = [
    () => fetch(at + "/?query=" + encodeURIComponent(sql)), () => fetch(at + "/", {method: "POST", body: sql}),
    () => fetch(at + "/", {method: "POST", body: "INSERT INTO kept VALUES (1)", mode: "no-cors"}),
    () => fetch(at + "/?readonly=0&query=" + encodeURIComponent("INSERT INTO kept VALUES (1)"), {mode: "no-cors"}),
    () => new Promise((done) => {
      const image = new Image(); image.onload = () => done("loaded"); image.onerror = () => done("error");
      image.src = at + "/?readonly=0&query=" + encodeURIComponent("INSERT INTO kept VALUES (1)"); })];
  for (const ask of wanted) {
    try { const answer = await ask(); told.push(answer.text ? "read:" + await answer.text() : answer); }
    catch (error) { told.push("refused"); }
  }
  document.body.textContent = "TOLD " + JSON.stringify(told);
}
window.onload = tries;
</script><body></body>"""


def test_a_web_page_in_a_browser_on_this_machine_reads_and_writes_nothing(port: int, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium; Debian's package `chromium` brings one")

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (PAGE % port).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--virtual-time-budget=8000"]
    by_a_name_of_theirs = "--host-resolver-rules=MAP rebound.example 127.0.0.1"
    try:
        for host in ("127.0.0.1", "rebound.example"):
            address = f"http://{host}:{server.server_address[1]}/"
            command = [browser, *quiet, by_a_name_of_theirs, "--dump-dom", address]
            run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
            told = run.stdout.partition("<body>TOLD ")[2].partition("</body>")[0]
            assert json.loads(told) == ["refused", "refused", "read:", "read:", "error"], run.stderr[-2000:]
        # the store itself by a name that somebody has led to this machine
        command = [browser, *quiet, by_a_name_of_theirs, "--dump-dom", f"http://rebound.example:{port}/?query=SELECT+1"]
        shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90).stdout
        assert "refused" in shown and "Code: 516" in shown
    finally:
        server.shutdown()
        server.server_close()
    assert ask(port, "POST", "/", b"SELECT count() FROM kept")[2] == b"1\n"
