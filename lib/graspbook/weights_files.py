"""Weights files: what a network has learned, as safetensors.

What is not a tensor, such as parameters and the training history, stands in the metadata as JSON.
Nothing is pickled.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file

from graspbook.errors import WeightsError
from graspbook.storage import atomic_path

_KEY = "graspbook"


def save_weights(
    path: Path | str,
    model: torch.nn.Module,
    parameters: Mapping[str, Any],
    history: Sequence[Mapping[str, float]] = (),
) -> None:
    """Write a weights file; equal content gives equal bytes.

    path: of the file.
    model: whose state is written.
    parameters: plain data that says what the network is and what it was trained with.
    history: of the training, a dict of plain numbers per recorded step.
    """
    write_tensors(path, model.state_dict(), {"parameters": parameters, "history": list(history)})


def halve_weights(source: Path | str, path: Path | str) -> None:
    """Write the weights of a file in half precision, without their history.

    Numbers are rounded by at most 5e-4 of their size, those below 6e-5 by at most 3e-8. They are
    read as single precision. Raises WeightsError for numbers beyond 65504, which half precision
    cannot hold, and for what `load_weights` refuses.

    source: the file to read.
    path: the file to write.
    """
    tensors, parameters = load_weights(source)
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in tensors.items()
    }
    if not all(value.isfinite().all() for value in state.values()):
        raise WeightsError(
            f"{source}: some weights are not finite or are beyond 65504; expected numbers that"
            " half precision can hold"
        )
    write_tensors(path, state, {"parameters": parameters, "history": []})


def load_weights(path: Path | str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """State dict and parameters of a weights file.

    Raises WeightsError if it is missing, truncated, or not one of ours.

    path: of the file.
    """
    tensors, header = read_tensors(path)
    return tensors, header["parameters"]


def load_history(path: Path | str) -> list[dict[str, float]]:
    """The training history in a weights file: a dict of plain numbers per recorded step.

    path: of the file.
    """
    return read_tensors(path)[1]["history"]


def load_model(
    path: Path | str, make_model: Callable[[dict[str, Any]], torch.nn.Module]
) -> tuple[Any, dict[str, Any]]:
    """A network with the weights of a file, in evaluation mode, and the file's parameters.

    Raises WeightsError if the file cannot be read, or its tensors are not the network's.

    path: of the file.
    make_model: makes the network of the parameters.
    """
    tensors, parameters = load_weights(path)
    model = make_model(parameters)
    load_state(path, model, tensors)
    return model.eval(), parameters


def write_tensors(
    path: Path | str, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]
) -> None:
    """Write tensors and plain data to a file.

    path: of the file.
    tensors: by name, of any device.
    header: plain data.
    """
    # One metadata key: safetensors does not keep the order of several.
    with atomic_path(path) as temporary:
        state = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        save_file(state, temporary, metadata={_KEY: json.dumps(header, sort_keys=True)})


def read_tensors(path: Path | str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the plain data that `write_tensors` wrote.

    Raises WeightsError if the file is missing, truncated, or not one of ours.

    path: of the file.
    """
    if not Path(path).is_file():
        raise WeightsError(f"{path}: no such weights file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error})") from error
    if _KEY not in metadata:
        raise WeightsError(f"{path}: it has no metadata {_KEY!r}: not written by this project")
    try:
        return tensors, json.loads(metadata[_KEY])
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its metadata {_KEY!r} is not JSON ({error})") from error


def load_state(
    path: Path | str, model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Give a network the state that was read from a file, from half precision too.

    Raises WeightsError if names or shapes are not the network's.

    path: of the file, for the message.
    model: the network.
    tensors: its state.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = sorted(set(expected.items()) ^ set(found.items()))
    if wrong:
        name = wrong[0][0]
        seen = f"has shape {found[name]}" if name in found else "is missing"
        raise WeightsError(
            f"{path}: it does not fit the network: {name!r} {seen}, expected"
            f" {f'shape {expected[name]}' if name in expected else 'no such tensor'}"
        )
    model.load_state_dict(tensors)
