"""`handgrad export`: a finished run as a file that other programs read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handgrad.cli.console import output_console
from handgrad.errors import ArgumentError, DataError, RunError

if TYPE_CHECKING:
    import numpy as np

    from handgrad.training.saved_run import SavedRun

#: How many inputs are computed by onnxruntime too, and how far its outputs may be from ours, of 1 or the largest.
_EXAMPLES, _TOLERANCE = 32, 1e-4


def command(
    run: Annotated[Path, typer.Argument(help="The directory of a finished run.")],
    file: Annotated[Path, typer.Argument(help="FILE.onnx, or FILE.safetensors for the weights by PyTorch's names.")],
    preprocessing: Annotated[
        bool, typer.Option("--preprocessing/--no-preprocessing", help="ONNX: take raw inputs, or prepared ones.")
    ] = True,
    probabilities: Annotated[
        bool, typer.Option("--probabilities/--scores", help="ONNX: end with the softmax, or before it.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Write a finished run as ONNX, from raw inputs to probabilities, or its weights for PyTorch."""
    from rich.markup import escape

    from handgrad.files import write_atomically
    from handgrad.training.saved_run import SavedRun

    _check_target(file, force)
    saved = SavedRun.open(run)
    if file.suffix == ".onnx":
        content, result = _as_onnx(saved, preprocessing=preprocessing, probabilities=probabilities)
    else:
        content, result = _as_safetensors(saved)
    write_atomically(file, content)
    result = {"run_directory": str(run), "file": str(file), "bytes": len(content)} | result
    console = output_console(as_json=as_json)
    console.print(f"Wrote [bold]{escape(str(file))}[/], {len(content):,} bytes: {_sentence(result)}", soft_wrap=True)
    if "difference" in result:
        console.print(escape(_checked_sentence(result)), soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(result))


def _check_target(file: Path, force: bool) -> None:
    """Refuse, before anything is computed, what cannot be written."""
    if file.suffix not in (".onnx", ".safetensors"):
        raise ArgumentError("FILE", str(file), "a name that ends in .onnx or .safetensors")
    if not file.parent.is_dir():
        raise ArgumentError("FILE", str(file), "a file in a directory that exists", f"make {file.parent} first")
    if file.exists() and not force:
        raise RunError(f"{file} already exists; choose another name, or write over it with --force.")


def _as_safetensors(saved: "SavedRun") -> tuple[bytes, dict[str, Any]]:
    """The weights under PyTorch's names, in its layouts."""
    import safetensors.numpy

    state = saved.model.parameters.state_dict()
    texts = {"format": "pt", **_about(saved)}
    return safetensors.numpy.save(state, texts), {"arrays": {name: list(array.shape) for name, array in state.items()}}


def _as_onnx(saved: "SavedRun", *, preprocessing: bool, probabilities: bool) -> tuple[bytes, dict[str, Any]]:
    """The network, and what is said of it."""
    from handgrad.interop import onnx

    examples, source = _examples(saved)
    proto = onnx.to_onnx(
        saved.model,
        saved.raw_shape if preprocessing else saved.input_shape,
        preprocessing=saved.preprocessing if preprocessing else None,
        input_type="uint8" if preprocessing and examples.dtype == "uint8" else "float32",
        loss=saved.loss if probabilities else None,
        classes=[saved.class_name(c) for c in range(saved.classes)] if saved.classes else None,
        about=_about(saved),
    )
    (given,), (made,) = proto.graph.input, proto.graph.output
    result: dict[str, Any] = {"opset": onnx.OPSET, "ir_version": onnx.IR_VERSION}
    result |= {"input": _described(given), "output": _described(made)}
    difference = _difference(saved, proto, examples, preprocessing=preprocessing, probabilities=probabilities)
    return proto.SerializeToString(), result | {"checked_on": source, "difference": difference}


def _described(value: Any) -> dict[str, Any]:
    """Name, type and shape of an input or output."""
    tensor = value.type.tensor_type
    shape = [axis.dim_param or axis.dim_value for axis in tensor.shape.dim]
    return {"name": value.name, "type": {1: "float32", 2: "uint8"}[tensor.elem_type], "shape": shape}


def _about(saved: "SavedRun") -> dict[str, str]:
    """What the file says of where it comes from."""
    from handgrad import __version__

    texts = {"handgrad": __version__, "recipe": json.dumps(saved.recipe.to_dict())}
    try:
        result = saved.directory.read_json("result.json")
        scores = {name: result[name] for name in ("test_accuracy", "test_loss") if result.get(name) is not None}
    except (RunError, AttributeError, TypeError):  # a run whose scores are lost is a run all the same
        scores = {}
    return texts | {name: str(value) for name, value in scores.items()}


def _examples(saved: "SavedRun") -> tuple["np.ndarray[Any, Any]", str]:
    """A few raw inputs and where they are from: the run's test data or, where that is gone, drawn at random."""
    import numpy as np

    from handgrad.training.assembly import load_data

    try:
        inputs = load_data(saved.recipe.data).test.inputs[:_EXAMPLES]
        if len(inputs) and inputs.shape[1:] == saved.raw_shape:
            return inputs, f"{len(inputs)} test examples"
    except (DataError, OSError, ArgumentError):
        pass
    rng, shape = np.random.default_rng(0), (_EXAMPLES, *saved.raw_shape)
    drawn = rng.integers(0, 256, shape).astype(np.uint8) if len(shape) > 2 else rng.normal(size=shape)
    return drawn, f"{_EXAMPLES} random inputs, for the run's data is not to be found"


def _difference(
    saved: "SavedRun", proto: Any, examples: "np.ndarray[Any, Any]", *, preprocessing: bool, probabilities: bool
) -> float | None:
    """How far onnxruntime's outputs are from ours, at most; None where it is not installed."""
    import numpy as np

    from handgrad.errors import MissingExtraError
    from handgrad.interop.onnx import run_onnx

    prepared = saved.preprocessing(examples)
    ours = saved.probabilities(examples) if probabilities else np.asarray(saved.model(prepared))
    try:
        theirs = run_onnx(proto, examples if preprocessing else prepared)
    except MissingExtraError:
        return None
    difference = float(np.abs(theirs - ours).max())
    if not difference <= _TOLERANCE * max(1.0, float(np.abs(ours).max())):
        raise RunError(
            f"onnxruntime's outputs differ from handgrad's by {difference:.1e}; nothing was written. "
            "Please report it, with the run's directory."
        )
    return difference


def _sentence(result: dict[str, Any]) -> str:
    """What is in the file, for people."""
    if "arrays" in result:
        return f"{len(result['arrays'])} arrays under PyTorch's names."
    shown = {
        role: f"{result[role]['name']} {result[role]['type']} ({', '.join(map(str, result[role]['shape']))})"
        for role in ("input", "output")
    }
    return f"{shown['input']} → {shown['output']}, opset {result['opset']}, IR {result['ir_version']}."


def _checked_sentence(result: dict[str, Any]) -> str:
    if result["difference"] is None:
        return 'Not checked, for onnxruntime is not installed: python -m pip install "handgrad[onnx]".'
    most, examples = f"{result['difference']:.1e}", result["checked_on"]
    return f"onnxruntime's outputs differ from handgrad's by at most {most} on {examples}."
