"""One training loop for every network: Adam, progress, checkpoints that resume exactly, and weights files.

Weights and checkpoints are safetensors files; what is not a tensor stands in their metadata as JSON. Nothing is pickled.
"""

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from graspbook.errors import ParameterError, WeightsError
from graspbook.storage import atomic_path

SCHEDULES = ("constant", "cosine")
# A history holds every step of a run this long, and at most twice as many of a longer one.
MOST_RECORDS = 2000
_KEY = "graspbook"


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained; learning rate and schedule default to the paper's (Adam, 1e-4, constant).

    schedule: "constant", or "cosine" from the learning rate to zero at the last step. threads: torch's, which
    the bits of the result depend on. checkpoint_seconds: least time between two checkpoints.
    """

    steps: int
    learning_rate: float = 1e-4
    schedule: str = "constant"
    seed: int = 0
    threads: int = 1
    checkpoint_seconds: float = 30.0

    def __post_init__(self):
        if self.schedule not in SCHEDULES:
            raise ParameterError(f"schedule {self.schedule!r}, expected one of {', '.join(SCHEDULES)}")
        if self.steps < 1 or self.threads < 1 or not self.learning_rate > 0:
            raise ParameterError(f"training needs steps >= 1, threads >= 1 and a learning rate above 0: {self}")

    def rate(self, step):
        """Learning rate at a step."""
        return self.learning_rate * (1 if self.schedule == "constant" else (1 + math.cos(math.pi * step / self.steps)) / 2)


def train(make_model, batch_of, loss_of, settings, checkpoint_path, parameters, label="training"):
    """Train `make_model()` and return it, in evaluation mode, with its history: a dict of plain numbers a recorded step.

    batch_of(step) gives a batch that depends on the step alone; loss_of(model, batch, generator) gives the loss and a
    dict of plain numbers. The model is initialised from `settings.seed`. `parameters` (plain data) says what the
    result depends on: a checkpoint at `checkpoint_path` with the same ones is resumed and ends with the same bits as a run that
    was never stopped; one with others is replaced. Raises WeightsError for a checkpoint that cannot be read.
    """
    parameters = json.loads(json.dumps({**parameters, "train": _deciding(settings)}))
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model = make_model()
        return _loop(model, batch_of, loss_of, settings, Path(checkpoint_path), parameters, label)
    finally:
        torch.set_num_threads(threads)


def _deciding(settings):
    """The settings that decide the result."""
    return {name: value for name, value in asdict(settings).items() if name != "checkpoint_seconds"}


def _loop(model, batch_of, loss_of, settings, checkpoint_path, parameters, label):
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    generator = torch.Generator(next(model.parameters()).device).manual_seed(settings.seed)
    start, history = 0, []
    if checkpoint_path.exists():
        start, history = _resume(checkpoint_path, model, optimiser, generator, parameters)
    every = max(1, settings.steps // MOST_RECORDS)
    saved = time.monotonic()
    model.train()
    with tqdm(total=settings.steps, initial=start, desc=label, unit="step") as progress:
        for step in range(start, settings.steps):
            optimiser.param_groups[0]["lr"] = settings.rate(step)
            loss, figures = loss_of(model, batch_of(step), generator)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            figures = {"loss": float(loss.detach()), **figures}
            if step % every == 0:
                history.append({"step": step, **figures})
            progress.update()
            progress.set_postfix({name: f"{value:.4g}" for name, value in figures.items()}, refresh=False)
            if time.monotonic() - saved > settings.checkpoint_seconds:
                _checkpoint(checkpoint_path, model, optimiser, generator, step + 1, history, parameters)
                saved = time.monotonic()
    return model.eval(), history


def _checkpoint(path, model, optimiser, generator, step, history, parameters):
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
    tensors["generator"] = generator.get_state()
    _write(path, tensors, {"parameters": parameters, "step": step, "history": history})


def _resume(path, model, optimiser, generator, parameters):
    """Load a checkpoint in place and return its step and history; do nothing, and return 0 and [], if its parameters differ."""
    tensors, header = _read(path)
    if header["parameters"] != parameters:
        return 0, []
    _load(path, model, {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")})
    state = {}
    for name, value in tensors.items():
        if name.startswith("adam."):
            _, index, part = name.split(".")
            state.setdefault(int(index), {})[part] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    generator.set_state(tensors["generator"])
    return header["step"], header["history"]


def train_to_file(weights_path, checkpoint_path, make_model, batch_of, loss_of, settings, parameters, label):
    """Train as `train` does, write the weights, remove the checkpoint, and return the history.

    Weights that are already there with the same parameters are left as they are: only their history is read.
    """
    deciding = json.loads(json.dumps({**parameters, "train": _deciding(settings)}))
    if Path(weights_path).exists() and load_weights(weights_path)[1] == deciding:
        return load_history(weights_path)
    model, history = train(make_model, batch_of, loss_of, settings, checkpoint_path, parameters, label)
    save_weights(weights_path, model, deciding, history)
    Path(checkpoint_path).unlink(missing_ok=True)
    return history


def save_weights(path, model, parameters, history=()):
    """Write a model's state as safetensors with plain data in the metadata; equal content gives equal bytes."""
    _write(path, model.state_dict(), {"parameters": parameters, "history": list(history)})


def load_weights(path):
    """State dict and parameters of a weights file. Raises WeightsError if it is missing, truncated, or not one of ours."""
    tensors, header = _read(path)
    return tensors, header["parameters"]


def load_history(path):
    """The training history in a weights file: a dict of plain numbers a recorded step, some thousands at most."""
    return _read(path)[1]["history"]


def load_model(path, make_model):
    """`make_model(parameters)` with the weights of a file, in evaluation mode, and those parameters.

    Raises WeightsError if the file cannot be read, or its tensors are not the model's.
    """
    tensors, parameters = load_weights(path)
    model = make_model(parameters)
    _load(path, model, tensors)
    return model.eval(), parameters


def _write(path, tensors, header):
    # One metadata key: safetensors does not keep the order of several.
    with atomic_path(path) as temporary:
        tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        save_file(tensors, temporary, metadata={_KEY: json.dumps(header, sort_keys=True)})


def _read(path):
    if not Path(path).is_file():
        raise WeightsError(f"{path}: no such weights file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error})") from error
    if _KEY not in metadata:
        raise WeightsError(f"{path}: no metadata {_KEY!r}: not written by this project")
    return tensors, json.loads(metadata[_KEY])


def _load(path, model, tensors):
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = sorted(set(expected.items()) ^ set(found.items()))
    if wrong:
        name = wrong[0][0]
        raise WeightsError(f"{path}: does not fit the network: {name!r} has shape {found.get(name, 'none')}, "
                           f"expected {expected.get(name, 'none')}")
    model.load_state_dict(tensors)
