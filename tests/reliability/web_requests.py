"""What the page's server is asked: the contract with names of what is there, and a healthy request of each kind."""

import json
from copy import deepcopy
from typing import Any
from urllib.parse import quote


def with_names(contract: dict[str, Any], training: str) -> dict[str, Any]:
    """A contract that allows only names of what is there; else nearly every request is refused for them.

    A training's events are not asked for: they go on as long as it does.
    """
    contract = deepcopy(contract)
    arrays = {
        "enum": ["activation.0", "activation.1", "gradient.0", "parameter.0.weight", "parameter_gradient.0.weight"]
    }
    place = {"type": "integer", "minimum": 0, "maximum": 1}
    numbers = {"minItems": 2, "maxItems": 2}  # which xor takes
    schemas, parameters = contract["components"]["schemas"], contract["components"]["parameters"]
    parameters["Kind"]["schema"] = {"enum": ["recipes"]}
    parameters["Arrays"]["schema"] = {"enum": ["0.weight", "0.weight,2.weight", "2.weight"]}
    parameters["Side"]["schema"] = {"type": "integer", "minimum": 8, "maximum": 8}
    schemas["Edit"]["properties"] |= {"parameter": {"enum": ["0.weight", "2.weight"]}}
    schemas["Edit"]["properties"]["index"] |= {"items": place, "maxItems": 2}
    schemas["CellRequest"]["properties"]["index"] |= {"items": place, "minItems": 1, "maxItems": 2}
    schemas["TraceRequest"]["properties"]["arrays"]["items"] = arrays
    schemas["TrainingRequest"]["properties"]["recipe"] = {"enum": ["xor", "points"]}
    schemas["PredictRequest"]["properties"]["inputs"]["items"] |= numbers
    for request in ("TraceRequest", "CellRequest", "CheckRequest"):
        schemas[request]["properties"]["input"] |= numbers
    for request in ("CellRequest", "CheckRequest"):
        schemas[request]["properties"]["array"] = arrays
    for path, methods in contract["paths"].items():
        for operation in methods.values():
            if "digit" in path:
                drawing = operation["requestBody"]["content"]["application/octet-stream"]["schema"]
                drawing |= {"minLength": 64, "maxLength": 64}
            given = [entry for entry in operation.get("parameters", []) if not entry["$ref"].endswith("/Name")]
            if len(given) < len(operation.get("parameters", [])):
                schema = {"enum": _names(path, training)}
                operation["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": schema}, *given]
    return contract


def _names(path: str, training: str) -> list[str]:
    """What is there for a path to name."""
    if path.startswith("/api/trainings/"):
        return ["xor"] if path.endswith("events") else [training]
    return {"digit": ["mlp", "fast"], "examples": ["mlp", "xor"]}.get(path.rpartition("/")[2], ["xor", "xor-bias"])


def healthy_requests(port: int) -> list[bytes]:
    """One request of each kind, byte by byte."""
    zeros = [0] * 784
    trace = {"input": zeros, "label": 3, "arrays": ["activation.0", "gradient.0"]}
    bodies: list[tuple[str, Any]] = [
        ("/", None),
        ("/app.js", None),
        ("/api/openapi.json", None),
        ("/api/models", None),
        *[(f"/api/models/recipes/{name}", None) for name in ("mlp", "cnn", "fast", "xor", "points")],
        ("/api/models/recipes/mlp/weights?arrays=0.weight,0.bias", None),
        ("/api/models/recipes/mlp/digit?side=28", bytes(range(256)) * 3 + bytes(16)),
        ("/api/models/recipes/mlp/examples?start=3&count=2&mistakes=false", None),
        ("/api/models/recipes/mlp/examples?mistakes=true", None),
        ("/api/models/recipes/mlp/trace", trace),
        ("/api/models/recipes/mlp/cell", {"input": zeros, "label": 3, "array": "activation.0", "index": [5]}),
        ("/api/models/recipes/mlp/check", {"input": zeros, "label": 3, "array": "parameter_gradient.2.bias"}),
        ("/api/models/recipes/xor/trace", {"input": [0, 1], "updates": 3, "arrays": []}),
        ("/api/recipes/mlp", None),
        ("/api/trainings", None),
        ("/api/trainings", {"recipe": "xor", "changes": {"train.epochs": 5}, "paused": True}),
        ("/api/trainings/none/commands", {"command": "set", "values": {"learning_rate": 0.1}}),
    ]
    return [_request(port, path, body) for path, body in bodies]


def _request(port: int, path: str, body: Any) -> bytes:
    lines = [f"{'GET' if body is None else 'POST'} {quote(path, '/?=&,')} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    content = b""
    if body is not None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        media_type = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        lines += [f"Content-Type: {media_type}", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content
