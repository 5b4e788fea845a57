"""Settings: what wins over what, and that every mistake is one line that names it."""

import os
import re
from itertools import pairwise

import msgspec
import pytest

from flows import published
from flows.settings import sources as settings_sources
from flows.settings.secret import Secret
from flows.settings.sources import SECRETS, environment_of, load
from flows.settings.tree import Settings, SettingsError


def written(tmp_path, text, name="settings.toml"):
    file = tmp_path / name
    file.write_bytes(text)
    return file


def refusal(file=None, environ=None, sets=()):
    with pytest.raises(SettingsError) as caught:
        load(file, environ or {}, sets)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_without_anything_said_the_defaults_hold():
    assert load(None, {}) == Settings()
    assert load(None, {"PATH": "x", "OTHER_KAFKA__BROKERS": "y"}) == Settings()


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path):
    file = written(tmp_path, b'[kafka]\nbrokers = "file"\nprefix = "file"\nretry_s = 5\n')
    told = load(file, {"ALPHAPLUS_KAFKA__BROKERS": "env", "ALPHAPLUS_KAFKA__PREFIX": "env"}, ["kafka.brokers=set"])
    assert (told.kafka.brokers, told.kafka.prefix, told.kafka.retry_s) == ("set", "env", 5)


def test_of_two_mentions_on_the_command_line_the_later_wins():
    assert load(None, {}, ["kafka.retry_s=1", "kafka.retry_s=2"]).kafka.retry_s == 2


def test_json_files_say_the_same_as_toml_files(tmp_path):
    toml = load(written(tmp_path, b'[market]\nvenues = ["deribit"]\n'), {})
    json = load(written(tmp_path, b'{"market": {"venues": ["deribit"]}}', "settings.json"), {})
    assert toml == json == load(None, {}, ['market.venues=["deribit"]'])


@pytest.mark.parametrize(
    ("text", "user"), [("123", "123"), ("true", "true"), ('"12"', "12"), ("", ""), ("a=b", "a=b"), ("[x", "[x")]
)
def test_a_text_is_taken_as_it_stands_whatever_it_looks_like(text, user):
    assert load(None, {}, [f"clickhouse.user={text}"]).clickhouse.user == user


@pytest.mark.parametrize("text", ["123", "true", '"12"', "a=b", "[x", " spaced "])
def test_a_secret_of_the_environment_is_taken_letter_by_letter(text):
    assert load(None, {"ALPHAPLUS_CLICKHOUSE__PASSWORD": text}).clickhouse.password.reveal() == text


def test_a_secret_is_read_from_the_file_that_is_named_without_its_line_end(tmp_path):
    file = written(tmp_path, b"open sesame\r\n", "password")
    for sets, environ in (
        ((f"clickhouse.password_file={file}",), {}),
        ((), {"ALPHAPLUS_CLICKHOUSE__PASSWORD_FILE": str(file)}),
    ):
        assert load(None, environ, sets).clickhouse.password == Secret("open sesame")


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file or directory"), (b"", "it is empty"), (b"\xff", "text")]
)
def test_a_file_that_holds_no_secret_is_named(tmp_path, content, why):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    said = refusal(sets=[f"kafka.tls.key_password_file={file}"])
    assert said.startswith(f"kafka.tls.key_password_file {file}: ")
    assert said.endswith(why)


@pytest.mark.parametrize("name", [".".join(path) for path in SECRETS])
def test_no_secret_is_taken_from_an_argument_and_none_is_repeated(name):
    said = refusal(sets=[f"{name}=open sesame"])
    assert said.startswith(f"{name} is a secret, and everybody on this machine sees arguments")
    assert "sesame" not in said


def test_a_secret_that_is_given_twice_is_refused_without_being_shown(tmp_path):
    file = written(tmp_path, b"sesame", "password")
    said = refusal(
        environ={"ALPHAPLUS_CLICKHOUSE__PASSWORD": "sesame", "ALPHAPLUS_CLICKHOUSE__PASSWORD_FILE": str(file)}
    )
    assert said == "clickhouse.password and clickhouse.password_file are both given"


def test_what_a_session_writes_down_has_no_secret_and_its_children_are_told_by_the_environment(tmp_path):
    login = ["kafka.brokers=a:1", "kafka.sasl.mechanism=PLAIN", "kafka.sasl.user=alice"]
    file = written(tmp_path, b"from a file", "password")
    environ = {"ALPHAPLUS_KAFKA__SASL__PASSWORD": "sesame", "ALPHAPLUS_KAFKA__PREFIX": "x.", "HOME": "/h"}
    told = load(None, environ, [*login, f"clickhouse.password_file={file}"])
    assert "sesame" not in repr(told) + str(told)
    saved = settings_sources.written(told)
    assert b"sesame" not in saved
    assert b"from a file" not in saved
    children = environment_of(told, environ)
    assert children == {"HOME": "/h", "ALPHAPLUS_KAFKA__SASL__PASSWORD": "sesame"}
    assert load(written(tmp_path, saved, "settings.json"), children) == told


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        (["kafka.sasl.mechanism=PLAIN"], "kafka.sasl.mechanism PLAIN needs kafka.sasl.user and kafka.sasl.password"),
        (["kafka.sasl.mechanism=MD5"], "kafka.sasl.mechanism: 'MD5' is not one of: "),
        (["kafka.sasl.user=a"], "kafka.sasl has a user, but kafka.sasl.mechanism is not set"),
        (["kafka.tls.ca_file=a"], "kafka.tls has files, but kafka.tls.on is false"),
        (
            ["kafka.tls.on=true", "kafka.tls.key_file=a"],
            "kafka.tls.certificate_file and kafka.tls.key_file go together",
        ),
        (["clickhouse.url=http://a:1", "clickhouse.ca_file=a"], "clickhouse.ca_file is for https"),
        (["clickhouse.url=https://me:sesame@a:1"], "clickhouse.url names a user or password: use clickhouse.user"),
        (["clickhouse.url=https://me:/sesame@a:1"], "clickhouse.url names a user or password: use clickhouse.user"),
        (["clickhouse.url=me:sesame@a:1"], "clickhouse.url names a user or password: use clickhouse.user"),
        (["kafka.brokers=a:1,me:sesame@b:1"], "kafka.brokers names a user or password: use kafka.sasl.user"),
        (["kafka.sasl.token_url=https://me:sesame@a/"], "kafka.sasl.token_url names a user or password: use "),
        (["live.proxy=http://me:sesame@a:3128"], "live.proxy names a user or password: use live.proxy_user"),
        (["live.rest.deribit=https://me:sesame@a"], "live.rest.deribit names a user or password: there is no place"),
        (["live.sockets.deribit=wss://me:sesame@a"], "live.sockets.deribit names a user or password: there is no"),
        (["live.proxy=a:3128"], "live.proxy: 'a:3128' is not http://host:port"),
        (["live.proxy_user=a"], "live.proxy_user is told, but live.proxy is not set"),
        (["live.proxy=http://a:1", "live.proxy_user=a:b"], "live.proxy_user has a colon"),
    ],
)
def test_a_connection_that_is_half_described_is_named(sets, why):
    said = refusal(sets=sets)
    assert said.startswith(why)
    assert "sesame" not in said


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("market.without=walls", """: 'walls' is not a list as ["features_costs"], of: features_costs, """),
        ('market.without=["wals"]', "[0]: 'wals' is not one of: features_costs, "),
        ("log.format=xml", ": 'xml' is not one of: text, json"),
        ("windows.base_ms=x", ": 'x' is not a whole number above 0"),
        ("tuning.on=yes", ": 'yes' is not true or false"),
        ("metrics_port=70000", ": '70000' is not a whole number from 0 to 65535"),
        ('risk.haircuts={"BTC":0.1,"ETH":2}', ".ETH: 2 is not a number from 0 to 1"),
        ("kafka.tls=true", ": 'true' is not a table with: ca_file, "),
    ],
)
def test_a_word_that_is_none_of_a_settings_is_answered_with_those(told, why):
    assert refusal(sets=[told]).startswith(f"{told.partition('=')[0]}{why}")


def test_instruments_and_maps_are_given_as_json():
    row = '{"venue":"deribit","symbol":"X","base":"X","quote":"USD","kind":"inverse","tick":"0.5","lot":"1"}'
    told = load(None, {}, [f"market.instruments=[{row}]", 'market.instruments_json={"deribit":"a.json"}'])
    assert told.market.instruments[0].tick == "0.5"
    assert told.market.instruments_json == {"deribit": "a.json"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("kafka.broker=x", "there is no setting 'kafka.broker'; kafka has: brokers, "),
        ("kafk.brokers=x", "there is no setting 'kafk.brokers'; the top level has: alerts, clickhouse, "),
        ("=5", "there is no setting ''"),
        ("kafka.brokers.x=1", "'kafka.brokers' has no setting below it"),
        ("kafka.brokers", "--set 'kafka.brokers': write section.key=value"),
        ("kafka.retry_s=soon", "kafka.retry_s: 'soon' is not "),
        ("kafka.retry_s=0", "kafka.retry_s: '0' is not a whole number above 0"),
        ("kafka.retry_s=1.5", "kafka.retry_s: '1.5' is not "),
        ("windows.lateness_ms=-1", "windows.lateness_ms: '-1' is not a whole number from 0"),
        ("windows.spans_ms=[1500]", "windows.spans_ms: 1500 is not a multiple of windows.base_ms 1000"),
        (
            "windows.spans_ms=1000,5000",
            "windows.spans_ms: '1000,5000' is not a list [..., ...], each a whole number above 0",
        ),
        ("windows.base_ms=50", "windows.base_ms: 50 is below 100"),
        (
            "windows.base_ms=90000",
            "windows.base_ms: 90000 does not divide a minute, 60000, by which many features count",
        ),
        ("windows.keyframe_ms=1500", "windows.keyframe_ms is not a multiple of windows.base_ms"),
        # the dense views give a row for two minutes at most: of each five, three would be missing
        ("windows.keyframe_ms=300000", "windows.keyframe_ms: 300000 does not divide a minute, 60000"),
        ("share.ordinal=1", "share.ordinal 1 is not below share.count 1"),
        ('market.instruments=[{"venue":"x"}]', "market.instruments[0]: symbol is missing"),
        ("clickhouse.url=localhost:8123", "clickhouse.url: 'localhost:8123' is not http://host:port"),
        ('risk.haircuts={"BTC": 0.1, "BTC": 0.5}', "risk.haircuts: 'BTC' stands twice in one table"),
    ],
)
def test_a_wrong_word_on_the_command_line_is_named(said, why):
    assert refusal(sets=[said]).startswith(why)


def test_an_environment_variable_of_ours_that_means_nothing_is_an_error():
    assert refusal(environ={"ALPHAPLUS_KAFKA__BROKRES": "a"}).startswith("there is no setting 'kafka.brokres'")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.toml", b"[kafka]\nbroker = 1", "there is no setting 'kafka.broker'; kafka has: brokers, "),
        ("a.toml", b"[windows]\nbase_ms = 0", "windows.base_ms: 0 is not a whole number above 0"),
        ("a.toml", b"kafka = 5", "kafka: 5 is not a table with: brokers, "),
        ("a.toml", b"[kafka", ""),
        ("a.toml", b"\xff", "it is not text, in UTF-8"),
        ("a.toml", b"[clickhouse]\npassword = 5", "clickhouse.password: what it says is not a text"),
        ("a.toml", b"[risk]\nbrackets_json = 'a'", "risk.brackets_json: 'a' is not a table, with a text by each name"),
        ("a.toml", b"[market]\nwithout = ['wals']", "market.without[0]: 'wals' is not one of: features_costs, "),
        ("a.json", b"[1]", "it is not a table with: alerts, "),
        ("a.json", b"null", "it is not a table with: alerts, "),
        ("a.json", b'{"kafka": ', ""),
        ("a.json", b"", "it is empty"),
        ("a.json", b'{"windows": {"base_ms": 1000, "base_ms": 2000}}', "'base_ms' stands twice in one table"),
        ("a.json", b'{"windows": {"base_ms": 1000}, "windows": {}}', "'windows' stands twice in one table"),
    ],
)
@pytest.mark.parametrize("sets", [(), ("kafka.brokers=x",)])
def test_a_wrong_file_is_named_also_when_the_command_line_says_more(tmp_path, name, text, why, sets):
    file = written(tmp_path, text, name)
    line = refusal(file, sets=sets)
    assert line.startswith(f"settings {file}: ")
    assert why in line


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", b"[windows]\nbase_ms = 100"), ("a.json", b'{"windows":{"base_ms":100}}')]
)
def test_a_file_may_begin_with_the_mark_that_some_editors_write(tmp_path, name, text):
    assert load(written(tmp_path, b"\xef\xbb\xbf" + text, name), {}).windows.base_ms == 100


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert refusal(tmp_path / "none.toml") == f"settings {tmp_path / 'none.toml'}: No such file or directory"
    assert refusal(tmp_path) == f"settings {tmp_path}: Is a directory"


def test_window_lengths_are_the_base_and_its_longer_multiples_in_order():
    told = load(None, {}, ["windows.base_ms=500", "windows.spans_ms=[60000,100,1000,1000]"])
    assert told.windows.lengths_ms() == (500, 1000, 60_000)


def every_setting(of, path=""):
    out = set()
    for name in of.__struct_fields__:
        value = getattr(of, name)
        out |= every_setting(value, f"{path}{name}.") if isinstance(value, msgspec.Struct) else {path + name}
    return out


def test_the_example_names_every_setting_with_its_default_and_a_comment(tmp_path):
    text = published.EXAMPLE.read_text()
    bare = re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE)
    section, named = "", set()
    for line in text.splitlines():
        if found := re.match(r"(?:# )?\[+([\w.]+)\]+$", line):
            section = found[1] + "."
            named.add(found[1])
        elif found := re.match(r"#(\w+) = ", line):
            named.add(section + found[1])
    assert every_setting(Settings()) <= named
    for name in (published.EXAMPLE.name, "bare.toml"):
        (tmp_path / name).write_text(bare if name == "bare.toml" else text)
        assert load(tmp_path / name, {}) == Settings()
    lines = text.splitlines()
    assert [b for a, b in pairwise(lines) if b.startswith("#") and b[1:2] != " " and not a.startswith("# ")] == []
    said = re.sub(r"^# (?=\[|\w+(-\w+)* = )", "", text, flags=re.MULTILINE)
    (tmp_path / "tables.toml").write_text(said)
    told = load(tmp_path / "tables.toml", {})
    assert told.market.instruments[0].symbol == "BTCUSDT"
    assert told.risk.brackets_json == {"binance-usdm": "leverageBracket.json"}


def test_a_table_is_filled_by_its_keys_from_the_command_line_and_the_environment():
    sets = ["risk.brackets_json.binance-usdm=a.json", "risk.brackets_json.bybit-linear=b.json"]
    told = load(None, {"ALPHAPLUS_MARKET__INSTRUMENTS_JSON__DERIBIT": "c.json"}, sets)
    assert told.risk.brackets_json == {"binance-usdm": "a.json", "bybit-linear": "b.json"}
    assert told.market.instruments_json == {"deribit": "c.json"}
    with pytest.raises(SettingsError, match=r"'kafka\.brokers' has no setting below it"):
        load(None, {}, ["kafka.brokers.x=1"])


@pytest.mark.parametrize(
    "text",
    [
        "metrics_port=99999",
        "metrics_port=-1",
        "clickhouse.url=http://here:port",
        "clickhouse.url=http://here:99999",
        "clickhouse.url=http://[::1",
    ],
)
def test_a_port_that_is_none_is_one_line(text):
    with pytest.raises(SettingsError) as caught:
        load(None, {}, [text])
    assert text.partition("=")[0] in str(caught.value) and "\n" not in str(caught.value)


def test_settings_nested_without_end_are_one_line(tmp_path):
    deep = "[" * 200_000 + "]" * 200_000
    for file, text in (("a.json", f'{{"market": {deep}}}'), ("a.toml", f"market = {deep}")):
        (tmp_path / file).write_text(text)
        with pytest.raises(SettingsError, match=r"nested too deeply|[Ee]xpected"):
            load(tmp_path / file, {})
    with pytest.raises(SettingsError, match=r"nested too deeply|[Ee]xpected"):
        load(None, {}, [f"market.venues={deep}"])


def test_figures_are_for_this_machine_unless_one_says_more():
    assert load(None, {}).metrics_host == "127.0.0.1"


def test_a_port_that_is_taken_is_named():
    import socket

    from flows.monitoring.probes import Judge, serve
    from flows.refusal import Refused

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=rf"metrics_port: 127\.0\.0\.1:{port} cannot be used: Address already in use"):
            serve("127.0.0.1", port, Judge(load(None, {}).probes))


@pytest.mark.parametrize("name", ["data", "kafka.prefix", "kafka.partitions", "clickhouse.password", "market.venues"])
def test_bytes_that_are_no_text_are_named_wherever_they_come_from(name):
    variable = "ALPHAPLUS_" + name.replace(".", "__").upper()
    with pytest.raises(SettingsError, match=f"^{name}: it is not text, in UTF-8$"):
        load(None, {variable: os.fsdecode(b"\xff")})
    if "password" not in name:
        with pytest.raises(SettingsError, match=f"^{name}: it is not text, in UTF-8$"):
            load(None, {}, [f"{name}=" + os.fsdecode(b"a\xff")])
    with pytest.raises(SettingsError, match=r"^clickhouse.password_file '\\x00': embedded null byte$"):
        load(None, {"ALPHAPLUS_CLICKHOUSE__PASSWORD_FILE": "\0"})
