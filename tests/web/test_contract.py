"""openapi.json, the routes and the handlers say the same, and what does not fit it is refused in a sentence."""

import inspect
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import pytest

pytest.importorskip("starlette")

from served import BYTES, JSON, Served
from starlette.routing import Mount, Route

from handgrad.errors import HandgradError
from handgrad.web.application import create_application, find_handler
from handgrad.web.contract import Operation, document, operations, parse_json
from handgrad.web.errors import ContractError, NotFoundError, TooLargeError

OPERATIONS = {operation.id: operation for operation in operations()}
LOOK, EXAMPLES, TRACE = (OPERATIONS[name] for name in ("digits.look", "digits.examples", "inside.trace"))
PATH = {"kind": "recipes", "name": "mlp"}


def test_the_contract_is_an_openapi_document() -> None:
    pytest.importorskip("openapi_spec_validator").validate(document())


def test_the_routes_are_those_of_the_contract(tmp_path: Any) -> None:
    application = create_application(tmp_path)
    (api,) = [route for route in application.routes if isinstance(route, Mount) and route.path == "/api"]
    routes = [route for route in api.routes if isinstance(route, Route)]
    served = {(f"/api{route.path}", method) for route in routes for method in (route.methods or set()) - {"HEAD"}}
    promised = {(path, method.upper()) for path, methods in document()["paths"].items() for method in methods}
    assert served == promised
    assert len(promised) == len(OPERATIONS) >= 14


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.id)
def test_every_operation_has_a_handler_that_takes_what_it_is_given(operation: Operation) -> None:
    handler = find_handler(operation.id)
    first, *others = inspect.signature(handler).parameters.values()
    assert first.name == "context"
    expected = {parameter.name for parameter in operation.parameters} | ({"body"} if operation.bodies else set())
    assert {parameter.name for parameter in others} == expected
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others)
    assert handler.__doc__


def test_what_opens_data_or_computes_leaves_room_for_the_drawing() -> None:
    heavy = {operation.id for operation in operations() if operation.heavy}
    assert heavy == {
        "models.weights",
        "digits.examples",
        "inside.trace",
        "inside.cell",
        "inside.check",
        "training.start",
        "lessons.measure",
    }


def test_what_is_not_there_is_not_found() -> None:
    for name in ("nowhere.look", "digits.nothing", "digits"):
        with pytest.raises(NotFoundError, match="not offered"):
            find_handler(name)


def test_parameters_arrive_converted_with_their_defaults() -> None:
    assert LOOK.arguments(PATH, [("side", "28")]) == PATH | {"side": 28}
    defaults = {"start": 0, "count": 20, "mistakes": False}
    assert EXAMPLES.arguments(PATH, []) == PATH | defaults
    given = [("mistakes", "true"), ("count", "3")]
    assert EXAMPLES.arguments(PATH, given) == PATH | defaults | {"mistakes": True, "count": 3}
    assert OPERATIONS["models.weights"].arguments(PATH, []) == PATH | {"arrays": None}


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ({}, [], "no side"),
        ({}, [("side", "7")], "side is 7, expected at least 8"),
        ({}, [("side", "513")], "side is 513, expected at most 512"),
        ({}, [("side", "1e2")], "side is '1e2', expected integer"),
        ({}, [("side", "9" * 99)], "side is '9"),
        ({}, [("side", " 28")], "side is ' 28'"),
        ({}, [("side", "２８")], "side is '２８'"),
        ({}, [("side", "")], "side is ''"),
        ({}, [("side", "28"), ("side", "28")], "side"),
        ({}, [("side", "28"), ("sides", "28")], "'sides', expected each of side once"),
        ({}, [("side", "28"), ("name", "mlp")], "'name'"),
        ({"kind": "models"}, [("side", "28")], "kind is 'models', expected one of recipes, runs"),
        ({"name": "x" * 201}, [("side", "28")], "at most 200 characters"),
    ],
)
def test_parameters_that_do_not_fit_are_named(path: dict[str, str], query: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(ContractError) as refused:
        LOOK.arguments(PATH | path, query)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_boolean_is_true_or_false() -> None:
    with pytest.raises(ContractError, match="mistakes is 'yes', expected boolean"):
        EXAMPLES.arguments(PATH, [("mistakes", "yes")])


def test_a_body_is_checked_and_filled_in() -> None:
    body = TRACE.body(JSON, b'{"input": [0, 1.5, 255]}')
    assert body == {"input": [0, 1.5, 255], "updates": 0}
    assert TRACE.body(JSON, b'{"input": [], "updates": 2.0}')["updates"] == 2
    assert type(TRACE.body(JSON, b'{"input": [], "updates": 2.0}')["updates"]) is int


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "input"),
        ([], "The body is [], expected object"),
        ({"input": 3}, "input is 3, expected array"),
        ({"input": [0, "a"]}, "input[1] is 'a', expected number"),
        ({"input": [0, True]}, "input[1] is True, expected number"),
        ({"input": [0, 1e7]}, "input[1] is 10000000, expected at most"),
        ({"input": [-1e7, 0]}, "input[0] is -10000000, expected at least"),
        ({"input": [0] * 4097}, "at most 4096 items"),
        ({"input": [], "more": 1}, "'more' was unexpected"),
        ({"input": [], "label": 1.5}, "label is 1.5, expected integer, null"),
        ({"input": [], "updates": 51}, "updates is 51, expected at most 50"),
        ({"input": [], "optimizer": {"name": "sgd", "learning_rate": 0}}, "optimizer.learning_rate is 0, expected"),
        ({"input": [], "edits": [{"parameter": "w", "index": [-1], "factor": 0, "offset": 0}]}, "edits[0].index[0]"),
    ],
)  # fmt: skip
def test_a_body_that_does_not_fit_is_refused_at_its_place(body: Any, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        TRACE.body(JSON, json.dumps(body).encode())
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}', b"1" * 5000,
     b'{"a": %d}' % (2**53 + 1), b"-" + b"9" * 4000, rb'{"a": "\ud800"}', b'{"\\udfff": 1}', b"\x00", b"'a'"],
)  # fmt: skip
def test_what_is_not_json_is_refused_in_a_sentence(body: bytes) -> None:
    with pytest.raises(HandgradError, match=r"^The body is (not JSON|nested too deeply).*\.$"):
        parse_json(body)


def test_whole_numbers_are_kept_as_far_as_a_double_holds_them() -> None:
    assert parse_json(b"[-%d, %d]" % (2**53, 2**53)) == [-(2**53), 2**53]
    with pytest.raises(HandgradError, match=r"JSON: 99999999999999999999… is no number that can be kept\.$"):
        parse_json(b"9" * 4000)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": ["a"] * 64_000}, "inputs"),
        ({"inputs": [["a"] * 64_000]}, "inputs[0]"),
        ({"inputs": [["a"] * 4000 for _ in range(16)]}, "[0] is 'a', expected number"),
        ({"inputs": [[]] * 64_000}, "inputs"),
    ],
)
def test_a_body_with_a_thousand_errors_is_refused_within_a_second(body: Any, said: str) -> None:
    started = time.process_time()
    with pytest.raises(ContractError) as refused:
        OPERATIONS["models.predict"].body(JSON, json.dumps(body, separators=(",", ":")).encode())
    assert time.process_time() - started < 1
    assert said in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse_json(rb'"\ud83d\ude00"') == "😀"


def test_a_body_has_a_limit_of_its_own() -> None:
    for operation, media_type in ((LOOK, BYTES), (TRACE, JSON)):
        with pytest.raises(TooLargeError, match="262,144"):
            operation.body(media_type, bytes(2**18 + 1))


def test_a_refusal_over_the_wire_is_as_the_contract_says(page: Served) -> None:
    cases = [
        (page.post_json("/api/models/recipes/mlp/trace", {"input": "x"}), 422, "input is 'x', expected array."),
        (page.ask("/api/models/recipes/mlp/trace", b"{", headers={"Content-Type": JSON}), 400, "not JSON"),
        (page.ask("/api/models/recipes/nope"), 404, "no recipe 'nope'"),
        (page.ask("/api/models/others/nope"), 422, "kind is 'others'"),
        (page.ask("/api/models?version=1"), 422, "expected nothing"),
    ]
    codes = document()["paths"]["/api/models/{kind}/{name}/trace"]["post"]["responses"]
    for answer, status, said in cases:
        assert answer.status == status
        assert said in answer.error
        assert answer.headers["content-type"] == "application/json"
        assert str(status) in codes


@pytest.mark.parametrize("depth", [10, 300, 600, 900, 990])
def test_nesting_has_an_end(page: Served, depth: int) -> None:
    changes = b'{"recipe": "xor", "changes": {"queries": %s%s}}' % (b"[" * depth, b"]" * depth)
    answer = page.ask("/api/trainings", changes, headers={"Content-Type": JSON})
    assert answer.status in (400, 422)
    assert answer.error


def test_a_bug_is_a_sentence_and_a_line_in_the_log(
    page: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(error: BaseException) -> None:
        raise error

    expected = {ZeroDivisionError("oh"): 500, MemoryError(): 429, RecursionError(): 400}
    for error, status in expected.items():
        monkeypatch.setattr(page.context.catalog, "index", lambda error=error: fail(error))
        answer = page.ask("/api/models")
        assert answer.status == status
        assert "Traceback" not in answer.error
    (logged,) = caplog.records
    assert "models.index failed" in logged.getMessage()


def test_too_many_who_wait_are_told_to_come_back(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page.context.turns, "most_waiting", -page.context.turns.at_once)
    answer = page.ask("/api/models")
    assert answer.status == 429
    assert "try again" in answer.error


def test_what_takes_long_holds_up_no_drawing(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over = threading.Semaphore(0), threading.Event()

    def measure(lesson: str, variant: str) -> bytes:
        begun.release()
        over.wait(30)
        return b""

    monkeypatch.setattr(page.context.lessons, "measure", measure)
    monkeypatch.setattr(page.context.heavy_turns, "most_waiting", 6)
    with ThreadPoolExecutor(11) as pool:
        heavy = [pool.submit(page.ask, "/api/lessons/a/b") for _ in range(10)]
        try:
            assert begun.acquire(timeout=10)
            assert begun.acquire(timeout=10)
            predicted = pool.submit(page.post_json, "/api/models/recipes/xor/predict", {"inputs": [[0, 1]]})
            assert predicted.result(10).status == 200
            refused = list(islice(as_completed(heavy, timeout=10), 2))
            assert [answer.result().status for answer in refused] == [429] * 2
        finally:
            over.set()
        assert sorted(answer.result(30).status for answer in heavy) == [200] * 8 + [429] * 2


def test_the_server_hands_out_its_contract(page: Served) -> None:
    assert page.ask("/api/openapi.json").values == document()
