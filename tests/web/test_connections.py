"""Clients that are slow, greedy or confused are cut off, and nobody else notices."""

import http.client
import select
import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("starlette")

from served import BYTES, Served, read_all, served

from handgrad.web.connections import Limits

#: Short enough to wait for, long enough to be told apart.
QUICK = Limits(
    head_seconds=0.6,
    body_seconds=0.6,
    read_seconds=1.0,
    idle_seconds=1,
    most_bytes=2**20,
    connections=20,
    head_bytes=8192,
)
POST = (
    b"POST /api/models/recipes/xor/digit?side=28 HTTP/1.1\r\n"
    b"Host: 127.0.0.1:%d\r\nContent-Type: application/octet-stream\r\n"
)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that waits for nobody."""
    with served(tmp_path_factory.mktemp("runs"), limits=QUICK) as server:
        yield server
        assert server.ask("/").status == 200, "it must have outlived everything"


def get(server: Served, path: str = "/", more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{more}\r\n".encode()


def trickle(connection: socket.socket, part: bytes, pause: float = 0.1) -> float:
    """Send a part again and again; after how many seconds the server had had enough."""
    started = time.perf_counter()
    try:
        while time.perf_counter() - started < 10:
            connection.sendall(part)
            time.sleep(pause)
    except ConnectionError:
        pass
    return time.perf_counter() - started


def test_an_answer_does_not_wait_for_its_head_to_be_acknowledged(hasty: Served) -> None:
    """Nagle's algorithm and delayed acknowledgements together hold a body back for 40 ms."""
    connection, seconds = http.client.HTTPConnection("127.0.0.1", hasty.port), []
    for _ in range(21):
        started = time.perf_counter()
        connection.request("GET", "/api/openapi.json")
        assert connection.getresponse().read()
        seconds.append(time.perf_counter() - started)
    connection.close()
    assert float(np.median(seconds)) < 0.03


def seconds_until_cut_off(connection: socket.socket) -> tuple[float, bytes]:
    started = time.perf_counter()
    received = read_all(connection)
    return time.perf_counter() - started, received


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"\r\n", b"\x16\x03\x01"])
def test_a_request_that_does_not_go_on_is_cut_off(hasty: Served, sent: bytes) -> None:
    with hasty.connect() as connection:
        connection.sendall(sent)
        took, received = seconds_until_cut_off(connection)
    assert took < 2
    assert not received or received.startswith(b"HTTP/1.1 400")


def test_headers_that_trickle_in_are_cut_off(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert trickle(connection, b"X-Slow: 1\r\n") < 3


def test_a_second_request_that_trickles_in_is_cut_off_too(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(get(hasty))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert trickle(connection, b"G") < 3


def test_a_body_that_does_not_come_is_refused_and_then_cut_off(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(POST % hasty.port + b"Content-Length: 784\r\n\r\n" + bytes(10))
        took, received = seconds_until_cut_off(connection)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"was not there after 0.6 seconds" in received
    assert took < 5


def test_a_body_that_trickles_in_is_refused(hasty: Served) -> None:
    started = time.perf_counter()
    with hasty.connect() as connection:
        connection.sendall(POST % hasty.port + b"Content-Length: 784\r\n\r\n")
        while not select.select([connection], [], [], 0.1)[0] and time.perf_counter() - started < 5:
            connection.sendall(b"\0")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
    assert time.perf_counter() - started < 3


def test_an_endless_body_is_refused_and_then_cut_off(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(POST % hasty.port + b"Transfer-Encoding: chunked\r\n\r\n")
        assert trickle(connection, b"10000\r\n" + bytes(2**16) + b"\r\n", pause=0) < 2, "it waited for its time to end"


def test_a_refused_body_is_read_so_that_the_refusal_arrives(hasty: Served) -> None:
    for _ in range(5):
        answer = hasty.ask("/api/models/recipes/xor/digit?side=28", bytes(2**19), headers={"Content-Type": BYTES})
        assert answer.status == 413


def test_headers_have_a_limit(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
        assert trickle(connection, b"a" * 3000) < 3
        assert read_all(connection)[:12] in (b"HTTP/1.1 400", b"")


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_refused_or_cut_off(hasty: Served, seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.bytes(int(rng.integers(1, 20_000)))
    with hasty.connect() as connection:
        try:
            connection.sendall([noise, get(hasty)[:-2] + noise, POST % hasty.port + b"\r\n" + noise][seed % 3])
        except ConnectionError:
            return
        took, received = seconds_until_cut_off(connection)
    assert took < 5
    assert b" 500 " not in received[:20]


def test_rubbish_behind_an_answer_ends_the_connection_without_a_word(
    hasty: Served, caplog: pytest.LogCaptureFixture
) -> None:
    head = (POST % hasty.port).replace(b"octet-stream", b"nonsense") + b"Transfer-Encoding: chunked\r\n\r\n"
    with hasty.connect() as connection:
        connection.sendall(head)
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
        connection.sendall(b"nonsense\r\n")
        took, received = seconds_until_cut_off(connection)
    assert answer.startswith(b"HTTP/1.1 415")
    assert took < 0.5
    assert received == b""
    assert caplog.records == []


def test_a_client_that_has_gone_half_way_does_no_harm(hasty: Served) -> None:
    for how in (socket.SHUT_WR, socket.SHUT_RDWR):
        with hasty.connect() as connection:
            connection.sendall(POST % hasty.port + b"Content-Length: 784\r\n\r\n" + bytes(10))
            connection.shutdown(how)
            assert seconds_until_cut_off(connection)[0] < 2


def test_a_client_that_does_not_read_is_cut_off(hasty: Served) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", hasty.port))
        path = "/api/models/recipes/cnn/weights"
        try:
            for _ in range(20):  # more than fits into any buffer of the system
                connection.sendall(get(hasty, path))
        except ConnectionError:
            return
        time.sleep(2.5)
        received = read_all(connection)
    assert len(received) < 10_000_000


def test_idle_connections_are_let_go(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(get(hasty))
        took, received = seconds_until_cut_off(connection)
    assert received.startswith(b"HTTP/1.1 200")
    assert 0.5 < took < 3


def test_many_requests_use_one_connection_and_may_come_at_once(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(get(hasty, "/icon.svg") * 5)
        _, received = seconds_until_cut_off(connection)
    assert received.count(b"HTTP/1.1 200 OK") == 5


def test_a_crowd_is_told_to_wait_and_the_server_recovers(hasty: Served) -> None:
    crowd = [hasty.connect() for _ in range(3 * QUICK.connections)]
    try:
        time.sleep(0.2)
        turned_away, _, _ = select.select(crowd, [], [], 0)
        assert len(turned_away) >= len(crowd) - 2 * QUICK.connections
        deadline = time.perf_counter() + 5
        answer = None
        while answer is None and time.perf_counter() < deadline:
            try:
                answer = hasty.ask("/")
            except (ConnectionError, http.client.HTTPException):
                continue
        assert answer is not None
        assert answer.status in (200, 503)
    finally:
        for connection in crowd:
            connection.close()
    time.sleep(0.2)
    assert hasty.ask("/").status == 200


def test_slow_clients_do_not_slow_the_others(page: Served) -> None:
    page.ask("/api/models")
    crowd = [page.connect() for _ in range(60)]
    try:
        for connection in crowd:
            connection.sendall(POST % page.port + b"Content-Length: 784\r\n\r\n")
        started = time.perf_counter()
        assert page.ask("/api/models").status == 200
        assert time.perf_counter() - started < 1
    finally:
        for connection in crowd:
            connection.close()
