"""Only the server's own page may ask, and only for so much."""

import pytest

pytest.importorskip("starlette")

from served import BYTES, JSON, Served

DRAWING = "/api/models/recipes/mlp/digit?side=8"
TRACE = "/api/models/recipes/mlp/trace"


def test_every_name_of_this_machine_for_itself_is_answered(page: Served) -> None:
    for host in (f"127.0.0.1:{page.port}", f"localhost:{page.port}", f"LOCALHOST:{page.port}", f"[::1]:{page.port}"):
        assert page.ask("/api/models", headers={"Host": host}).status == 200, host


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", "", "[::1]",
     "127.0.0.1:{port}@evil.example", "evil.example#127.0.0.1:{port}", "127.0.0.1:{port}:{port}", "0.0.0.0:{port}"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/models"])
def test_another_name_is_refused_as_of_a_rebound_domain(page: Served, host: str, path: str) -> None:
    answer = page.ask(path, headers={"Host": host.format(port=page.port)})
    assert answer.status == 403
    assert "Host" in answer.error


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://evil.example:{port}", "http://127.0.0.1:1", "http://127.0.0.1", "file://",
     "http://localhost:{port}.evil.example", "chrome-extension://127.0.0.1:{port}", ""],
)  # fmt: skip
def test_another_page_may_neither_send_nor_read(page: Served, origin: str) -> None:
    headers = {"Origin": origin.format(port=page.port)}
    answer = page.ask(DRAWING, bytes(64), headers=headers | {"Content-Type": BYTES})
    assert answer.status == 403
    assert "Origin" in answer.error
    assert page.ask("/api/models", headers=headers).status == 403
    assert page.ask("/", headers=headers).status == 403


def test_the_own_page_may(page: Served) -> None:
    for name in ("127.0.0.1", "localhost"):
        headers = {"Origin": f"http://{name}:{page.port}", "Sec-Fetch-Site": "same-origin", "Content-Type": BYTES}
        assert page.ask(DRAWING, bytes(64), headers=headers).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_what_a_browser_says_to_come_from_elsewhere_is_refused_except_a_link(page: Served, site: str) -> None:
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert page.ask("/", headers=link).status == 200
    assert page.ask("/api/models", headers=link).status == 403
    assert page.ask("/app.js", headers=link | {"Sec-Fetch-Mode": "no-cors"}).status == 403
    assert page.ask("/", b"", headers=link).status == 403
    assert page.ask("/", headers=link | {"Sec-Fetch-Mode": "cors"}).status == 403
    assert page.ask("/", headers=link | {"Origin": f"http://localhost:{page.port}"}).status == 403


def test_an_address_typed_by_hand_is_answered(page: Served) -> None:
    assert page.ask("/", headers={"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}).status == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", JSON, "multipart/form-data"]
)
def test_a_form_cannot_send_what_only_the_page_can(page: Served, content_type: str) -> None:
    answer = page.ask(DRAWING, bytes(64), headers={"Content-Type": content_type} if content_type else {})
    assert answer.status == 415
    assert BYTES in answer.error


def test_a_content_type_may_have_settings(page: Served) -> None:
    headers = {"Content-Type": "Application/Octet-Stream; charset=binary"}
    assert page.ask(DRAWING, bytes(64), headers=headers).status == 200


def test_a_body_larger_than_any_is_refused_before_it_is_read(page: Served) -> None:
    with page.connect() as connection:
        connection.sendall(
            b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 999999999\r\nContent-Type: %s\r\n\r\n"
            % (DRAWING.encode(), page.port, BYTES.encode())
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_say_how_long_it_is_is_counted(page: Served) -> None:
    with page.connect() as connection:
        connection.sendall(
            b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nTransfer-Encoding: chunked\r\nContent-Type: %s\r\n\r\n"
            % (DRAWING.encode(), page.port, BYTES.encode())
        )
        for _ in range(5):
            connection.sendall(b"%x\r\n%s\r\n" % (2**16, bytes(2**16)))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_asking_for_something_has_no_body(page: Served) -> None:
    answer = page.ask("/api/models", b"{}", method="GET")
    assert answer.status == 413
    assert "none" in answer.error


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/models", "/nowhere", "/api/nowhere"])
def test_every_answer_tells_the_browser_to_be_careful(page: Served, path: str) -> None:
    headers = page.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] in ("no-cache", "no-store")
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_a_refusal_is_careful_too(page: Served) -> None:
    assert page.ask("/", headers={"Host": "evil.example"}).headers["x-content-type-options"] == "nosniff"


def test_a_file_that_has_not_changed_is_not_sent_again(page: Served) -> None:
    first = page.ask("/app.js")
    again = page.ask("/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status, again.status, again.body) == (200, 304, b"")


def test_a_script_is_called_one_whatever_the_system_thinks(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mimetypes.guess_type", lambda *_, **__: ("text/plain", None))
    for path, expected in (("/app.js", "text/javascript"), ("/style.css", "text/css"), ("/icon.svg", "image/svg+xml")):
        assert page.ask(path).headers["content-type"].startswith(expected)


@pytest.mark.parametrize(
    "path", ["/../openapi.json", "/..%2Fopenapi.json", "/%2e%2e/%2e%2e/errors.py", "/%00", "/a" * 3000, "//etc/passwd"]
)
def test_no_path_leads_out_of_the_page(page: Served, path: str) -> None:
    answer = page.ask(path)
    assert answer.status == 404
    assert answer.error


def test_an_unknown_path_or_method_is_a_sentence(page: Served) -> None:
    assert page.ask("/api/nowhere").status == 404
    assert page.ask("/api/models/").status == 404
    answer = page.ask("/api/trainings", method="DELETE")
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert page.ask(TRACE).status == 405
    assert page.ask("/app.js", b"", headers={"Content-Type": JSON}).status == 405
