"""Settings: what wins over what, and that every mistake is one line that names it."""

import pytest

from flows.settings import Settings, SettingsError, load


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
    ("text", "password"), [("123", "123"), ("true", "true"), ('"12"', "12"), ("", ""), ("a=b", "a=b"), ("[x", "[x")]
)
def test_a_text_is_taken_as_it_stands_whatever_it_looks_like(text, password):
    assert load(None, {}, [f"clickhouse.password={text}"]).clickhouse.password == password


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
        ("kafka.retry_s=soon", "kafka.retry_s: 'soon': "),
        ("kafka.retry_s=0", "kafka.retry_s: '0': Expected `int` >= 1"),
        ("kafka.retry_s=1.5", "kafka.retry_s: '1.5': "),
        ("windows.lateness_ms=-1", "windows.lateness_ms: '-1': Expected `int` >= 0"),
        ("windows.spans_ms=[1500]", "windows.spans_ms: 1500 is not a multiple of windows.base_ms 1000"),
        ("windows.spans_ms=1000,5000", "windows.spans_ms: '1000,5000': "),
        ("windows.base_ms=50", "windows.base_ms: 50 is below 100"),
        ("windows.keyframe_ms=1500", "windows.keyframe_ms is not a multiple of windows.base_ms"),
        ("share.ordinal=1", "share.ordinal 1 is not below share.count 1"),
        ('market.instruments=[{"venue":"x"}]', "market.instruments: Object missing required field `symbol`"),
        ("clickhouse.url=localhost:8123", "clickhouse.url: 'localhost:8123' is not http://host:port"),
    ],
)
def test_a_wrong_word_on_the_command_line_is_named(said, why):
    assert refusal(sets=[said]).startswith(why)


def test_an_environment_variable_of_ours_that_means_nothing_is_an_error():
    assert refusal(environ={"ALPHAPLUS_KAFKA__BROKRES": "a"}).startswith("there is no setting 'kafka.brokres'")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.toml", b"[kafka]\nbroker = 1", "unknown field `broker` - at `$.kafka`"),
        ("a.toml", b"[windows]\nbase_ms = 0", ">= 1 - at `$.windows.base_ms`"),
        ("a.toml", b"kafka = 5", "`$.kafka`"),
        ("a.toml", b"[kafka", ""),
        ("a.toml", b"\xff", ""),
        ("a.json", b"[1]", "Expected `object`, got `array`"),
        ("a.json", b"null", "Expected `object`, got `null`"),
        ("a.json", b'{"kafka": ', ""),
    ],
)
@pytest.mark.parametrize("sets", [(), ("kafka.brokers=x",)])
def test_a_wrong_file_is_named_also_when_the_command_line_says_more(tmp_path, name, text, why, sets):
    file = written(tmp_path, text, name)
    line = refusal(file, sets=sets)
    assert line.startswith(f"settings {file}: ")
    assert why in line


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert refusal(tmp_path / "none.toml") == f"settings {tmp_path / 'none.toml'}: No such file or directory"
    assert refusal(tmp_path) == f"settings {tmp_path}: Is a directory"


def test_window_lengths_are_the_base_and_its_longer_multiples_in_order():
    told = load(None, {}, ["windows.base_ms=500", "windows.spans_ms=[60000,100,1000,1000]"])
    assert told.windows.lengths_ms() == (500, 1000, 60_000)
