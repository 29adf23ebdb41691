"""Programs that others wrote speak to our server: clickhouse-connect and curl."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import clickhouse_connect
import httpx
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from yunmeng.kernel.store import HistoryServer


@pytest.fixture(params=[False, "lz4", "gzip"])
def client(shared: HistoryServer, request: pytest.FixtureRequest) -> Iterator[Client]:
    connected = clickhouse_connect.get_client(
        host="127.0.0.1", port=shared.port, password=shared.password, compress=request.param, tz_mode="aware"
    )
    yield connected
    connected.close()


@pytest.fixture
def table(client: Client) -> str:
    name = f"t{uuid4().hex}"
    client.command(
        f"CREATE TABLE {name} (id UInt64, name String, at DateTime64(3,'UTC')) ENGINE=MergeTree ORDER BY id"
    )
    return name


ROWS = [(n, f"名字 {n}", datetime(2026, 11, 22, 4, 0, n % 60, 123_000, UTC)) for n in range(5000)]


def test_rows_go_in_and_come_out(client: Client, table: str) -> None:
    summary = client.insert(table, ROWS, column_names=["id", "name", "at"])
    assert summary.written_rows == 5000
    found = client.query(f"SELECT id, name, at FROM {table} ORDER BY id")
    assert found.result_rows[7] == ROWS[7]
    assert len(found.result_rows) == 5000
    assert client.command(f"SELECT count() FROM {table}") == 5000


def test_arrow_goes_in_and_comes_out(client: Client, table: str) -> None:
    arrow = pa.table({"id": pa.array([1, 2], pa.uint64()), "name": ["a", "b"]})
    client.insert_arrow(table, arrow)
    assert client.query_arrow(f"SELECT id, name FROM {table} ORDER BY id").num_rows == 2


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("CSV", "1,a\n2,b\n"),
        ("JSONEachRow", '{"id":1,"name":"a"}\n{"id":2,"name":"b"}'),
        ("TSV", b"1\ta\n2\tb\n"),
    ],
)
def test_raw_inserts(client: Client, table: str, format: str, data: Any) -> None:
    client.raw_insert(table, ["id", "name"], insert_block=data, fmt=format)
    assert client.query(f"SELECT id, name FROM {table} ORDER BY id").result_rows == [(1, "a"), (2, "b")]


def test_parameters_are_bound_by_the_server(client: Client) -> None:
    nasty = "a'b\\c\td\n{x:String}"
    found = client.query(
        "SELECT {text:String}, {many:Array(String)}, {n:Int64}",
        parameters={"text": nasty, "many": [nasty], "n": -5},
    )
    assert found.result_rows == [(nasty, [nasty], -5)]


def test_settings_last_for_one_query(client: Client) -> None:
    ask = "SELECT getSetting('max_threads')"
    before = client.query(ask).result_rows
    assert client.query(ask, settings={"max_threads": 1}).result_rows == [(1,)]
    assert client.query(ask).result_rows == before


def test_errors_name_their_code(client: Client) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE") as caught:
        client.query("SELECT * FROM nowhere")
    assert caught.value.code == 60
    assert client.command("SELECT 1") == 1


def test_a_stranger_is_refused(shared: HistoryServer) -> None:
    for user, password in (("default", "guess"), ("default", ""), ("root", shared.password)):
        with pytest.raises(DatabaseError, match="AUTHENTICATION_FAILED"):
            clickhouse_connect.get_client(
                host="127.0.0.1", port=shared.port, username=user, password=password
            )


def curl(shared: HistoryServer, path: str, *options: str, data: bytes = b"") -> tuple[int, bytes]:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    command = [program, "-s", "-w", "\n%{http_code}", "-u", f"default:{shared.password}", *options]
    done = subprocess.run(
        [*command, f"{shared.url}{path}"], input=data, capture_output=True, check=True, timeout=30
    )
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status), body


def test_curl_asks(shared: HistoryServer) -> None:
    assert curl(shared, "/ping") == (200, b"Ok.\n")
    assert curl(shared, "/?query=SELECT%201%2B1") == (200, b"2\n")
    assert curl(shared, "/", "--data-binary", "@-", data=b"SELECT 'x' AS a FORMAT JSONEachRow") == (
        200,
        b'{"a":"x"}\n',
    )
    assert curl(shared, "/?default_format=CSV", "-d", "SELECT 'x'") == (200, b'"x"\n')
    assert curl(shared, "/elsewhere")[0] == 404


def test_curl_inserts_a_file_in_chunks(shared: HistoryServer) -> None:
    assert (
        curl(shared, "/", "-d", "CREATE OR REPLACE TABLE c (n UInt64) ENGINE=MergeTree ORDER BY n")[0] == 200
    )
    rows = b"".join(b'{"n":%d}\n' % n for n in range(300_000))
    chunked = ("-H", "Transfer-Encoding: chunked", "-X", "POST", "-T", "-")
    assert curl(shared, "/?query=INSERT%20INTO%20c%20FORMAT%20JSONEachRow", *chunked, data=rows) == (200, b"")
    assert curl(shared, "/", "-d", "SELECT count(), max(n) FROM c") == (200, b"300000\t299999\n")
    assert curl(shared, "/", "--data-binary", "INSERT INTO c VALUES (7), (8)") == (200, b"")
    assert curl(shared, "/?query=INSERT%20INTO%20c%20FORMAT%20CSV", "--data-binary", "x\n")[0] == 400
    assert curl(shared, "/", "-d", "SELECT count() FROM c") == (200, b"300002\n")


def test_get_changes_nothing(shared: HistoryServer) -> None:
    status, body = curl(shared, "/?query=CREATE%20TABLE%20g%20(n%20UInt8)%20ENGINE%3DMemory")
    assert status == 500
    assert b"Code: 164." in body


def test_headers_are_those_of_clickhouse(shared: HistoryServer) -> None:
    auth = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": shared.password}
    with httpx.Client(base_url=shared.url, headers=auth, trust_env=False) as http:
        good = http.post(
            "/", params={"query_id": "q-1"}, content="SELECT number FROM numbers(10) FORMAT JSON"
        )
        bad = http.post("/", content="SELEC 1")
        unknown = http.post("/", params={"no_such_setting": "1"}, content="SELECT 1")
    assert good.headers["X-ClickHouse-Query-Id"] == "q-1"
    assert good.headers["X-ClickHouse-Format"] == "JSON"
    assert good.headers["Content-Type"].startswith("application/json")
    assert json.loads(good.headers["X-ClickHouse-Summary"])["result_rows"] == "10"
    assert (bad.status_code, bad.headers["X-ClickHouse-Exception-Code"]) == (400, "62")
    assert bad.text.startswith("Code: 62. DB::Exception: ")
    assert (unknown.status_code, unknown.headers["X-ClickHouse-Exception-Code"]) == (404, "115")


def test_a_session_keeps_its_temporary_table(shared: HistoryServer) -> None:
    with httpx.Client(base_url=shared.url, auth=("default", shared.password), trust_env=False) as http:
        mine = {"session_id": uuid4().hex}
        http.post("/", params=mine, content="CREATE TEMPORARY TABLE s (n UInt8)").raise_for_status()
        http.post("/", params=mine, content="INSERT INTO s VALUES (1)").raise_for_status()
        assert http.post("/", params=mine, content="SELECT n FROM s").text == "1\n"
        assert http.post("/", content="SELECT n FROM s").status_code == 404


def test_a_setting_never_reaches_the_next_query(shared: HistoryServer) -> None:
    ask = "SELECT getSetting('max_block_size')"
    with httpx.Client(base_url=shared.url, auth=("default", shared.password), trust_env=False) as http:
        usual = http.post("/", content=ask).text
        for size in ("123", "456", "123"):
            assert http.post("/", params={"max_block_size": size}, content=ask).text == f"{size}\n"
            assert http.post("/", content=ask).text == usual
        assert (
            http.post("/", params={"database": "system"}, content="SELECT currentDatabase()").text
            == "system\n"
        )
        assert http.post("/", content="SELECT currentDatabase()").text == "default\n"


def test_a_broken_body_is_refused_and_the_connection_goes_on(shared: HistoryServer) -> None:
    with httpx.Client(base_url=shared.url, auth=("default", shared.password), trust_env=False) as http:
        torn = http.post("/", content=b"no gzip" * 1000, headers={"Content-Encoding": "gzip"})
        unknown = http.post("/", content=b"x" * 3_000_000, headers={"Content-Encoding": "snappy"})
        assert (torn.status_code, unknown.status_code) == (500, 501)
        assert http.post("/", content="SELECT 1").text == "1\n"
    stranger = httpx.post(shared.url, content=b"x" * 3_000_000, auth=("default", "guess"), trust_env=False)
    assert stranger.status_code == 403
