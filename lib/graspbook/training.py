"""One training loop for every network: Adam, validation, progress, checkpoints that resume exactly,
and weights files.

Weights and checkpoints are safetensors files; what is not a tensor stands in their metadata as
JSON. Nothing is pickled.
"""

import json
import math
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from graspbook.errors import ParameterError, WeightsError
from graspbook.storage import atomic_path, content_hash

SCHEDULES = ("constant", "cosine")
# A history holds every step of a run this long, and at most twice as many of a longer one.
MOST_RECORDS = 2000
_KEY = "graspbook"


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained; learning rate and schedule default to the paper's (Adam, 1e-4,
    constant).

    schedule: "constant", or "cosine" from the learning rate to zero at the last step. weight_decay:
    decoupled (AdamW; 0: Adam). clip: largest norm of the gradient, None for any. validate_every:
    steps between validations, if there is one, 0 for none; patience: validations without
    improvement that end the training, 0 to go on. threads: torch's, which the bits of the result
    depend on. checkpoint_seconds: least time between two checkpoints.
    """

    steps: int
    learning_rate: float = 1e-4
    schedule: str = "constant"
    weight_decay: float = 0.0
    clip: float | None = None
    validate_every: int = 0
    patience: int = 0
    seed: int = 0
    threads: int = 1
    checkpoint_seconds: float = 30.0

    def __post_init__(self):
        if self.schedule not in SCHEDULES:
            raise ParameterError(
                f"schedule {self.schedule!r}, expected one of {', '.join(SCHEDULES)}"
            )
        if self.steps < 1 or self.threads < 1 or not self.learning_rate > 0:
            raise ParameterError(
                f"training needs steps >= 1, threads >= 1 and a learning rate above 0: {self}"
            )
        if not min(self.validate_every, self.patience) >= 0 <= self.weight_decay or (
            self.clip is not None and not self.clip > 0
        ):
            raise ParameterError(
                "training needs weight_decay, validate_every and patience >= 0 and a clip above 0:"
                f" {self}"
            )
        if self.patience and not self.validate_every:
            raise ParameterError(
                f"training patience {self.patience} needs validate_every >= 1: {self}"
            )

    def rate(self, step):
        """Learning rate at a step."""
        return self.learning_rate * (
            1 if self.schedule == "constant" else (1 + math.cos(math.pi * step / self.steps)) / 2
        )


@cache
def multiplies_bfloat16(kind):
    """Whether devices of a kind ("cpu" or "cuda") multiply bfloat16 matrices faster than float32
    ones.
    """
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


def train(
    make_model,
    batch_of,
    loss_of,
    settings,
    checkpoint_path,
    parameters,
    label="training",
    validate=None,
    init=None,
):
    """Train `make_model()` and return it, in evaluation mode, with its history: a dict of plain
    numbers a recorded step.

    batch_of(step) gives a batch that depends on the step alone; loss_of(model, batch, generator)
    gives the loss and a dict of plain numbers. The model is initialised from `settings.seed`, or
    from the weights file `init`. validate(model) gives a dict of plain numbers with a "loss"; it is
    called as the settings say and after the last step, its numbers join the history as
    "validation_...", and the model returned is that of the least loss. `parameters` (plain data)
    and the tensors in `init` say what the result depends on: a checkpoint at `checkpoint_path` with
    the same ones is resumed and ends with the same bits as a run that was never stopped; one with
    others is replaced. Raises WeightsError for a checkpoint or an `init` that cannot be read.
    """
    parameters = _deciding(parameters, settings, init)
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model = make_model()
        if init is not None:
            _load(init, model, _read(init)[0])
        return _loop(
            _Run(model, settings),
            batch_of,
            loss_of,
            settings,
            Path(checkpoint_path),
            parameters,
            label,
            validate,
        )
    finally:
        torch.set_num_threads(threads)


def _deciding(parameters, settings, init):
    """All that decides the result, as JSON gives it back."""
    parameters = parameters | {
        "train": {
            name: value for name, value in asdict(settings).items() if name != "checkpoint_seconds"
        }
    }
    if init is not None:
        tensors = load_weights(init)[0]
        parameters["init"] = content_hash(
            list(tensors), *(value.numpy() for value in tensors.values())
        )
    return json.loads(json.dumps(parameters))


class _Run:
    """What a training run is at one step: all that a checkpoint holds."""

    def __init__(self, model, settings):
        self.model = model
        self.optimiser = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.generator = torch.Generator(next(model.parameters()).device).manual_seed(settings.seed)
        self.step, self.history = 0, []
        self.best, self.best_loss, self.worse = (
            None,
            math.inf,
            0,
        )  # state, its validation loss, validations since

    def validate(self, validate):
        """Figures of a validation, which decide whether this is the best state so far."""
        device = next(self.model.parameters()).device
        self.model.eval()
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            figures = validate(self.model)
        self.model.train()
        self.worse += 1
        if figures["loss"] < self.best_loss or self.best is None:
            self.best = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.best_loss, self.worse = (
                math.inf if math.isnan(figures["loss"]) else figures["loss"],
                0,
            )
        return {f"validation_{name}": value for name, value in figures.items()}

    def write(self, path, parameters):
        """Write a checkpoint."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in (self.best or {}).items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
        tensors["generator"] = self.generator.get_state()
        header = {"step": self.step, "history": self.history, "worse": self.worse}
        if self.best:
            header["best_loss"] = self.best_loss
        _write(path, tensors, {"parameters": parameters, **header})

    def read(self, path, parameters):
        """Go on from a checkpoint; do nothing if its parameters differ."""
        tensors, header = _read(path)
        if header["parameters"] != parameters:
            return
        parts = {}
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            parts.setdefault(kind, {})[rest] = value
        _load(path, self.model, parts["model"])
        state = {}
        for name, value in parts["adam"].items():
            index, part = name.split(".")
            state.setdefault(int(index), {})[part] = value
        self.optimiser.load_state_dict(
            {"state": state, "param_groups": self.optimiser.state_dict()["param_groups"]}
        )
        self.generator.set_state(tensors["generator"])
        self.step, self.history, self.worse = header["step"], header["history"], header["worse"]
        if "best" in parts:
            self.best, self.best_loss = parts["best"], header["best_loss"]


def _loop(run, batch_of, loss_of, settings, checkpoint_path, parameters, label, validate):
    if checkpoint_path.exists():
        run.read(checkpoint_path, parameters)
    every = max(1, settings.steps // MOST_RECORDS)
    look = settings.validate_every if validate else 0
    saved = time.monotonic()
    run.model.train()
    with tqdm(total=settings.steps, initial=run.step, desc=label, unit="step") as progress:
        while run.step < settings.steps and not (look and 0 < settings.patience <= run.worse):
            figures = _step(run, batch_of(run.step), loss_of, settings)
            step, run.step = run.step, run.step + 1
            looked = look and (run.step % look == 0 or run.step == settings.steps)
            if looked:
                figures |= run.validate(validate)
            if step % every == 0 or looked:
                run.history.append({"step": step, **figures})
            progress.update()
            progress.set_postfix(
                {name: f"{value:.4g}" for name, value in figures.items()}, refresh=False
            )
            if time.monotonic() - saved > settings.checkpoint_seconds:
                run.write(checkpoint_path, parameters)
                saved = time.monotonic()
    if run.best:
        run.model.load_state_dict(run.best)
    return run.model.eval(), run.history


def _step(run, batch, loss_of, settings):
    """One step of the optimiser, and its figures."""
    run.optimiser.param_groups[0]["lr"] = settings.rate(run.step)
    loss, figures = loss_of(run.model, batch, run.generator)
    run.optimiser.zero_grad()
    loss.backward()
    if settings.clip:
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), settings.clip)
    run.optimiser.step()
    return {"loss": float(loss.detach()), **figures}


def train_to_file(
    weights_path,
    checkpoint_path,
    make_model,
    batch_of,
    loss_of,
    settings,
    parameters,
    label,
    validate=None,
    init=None,
):
    """Train as `train` does, write the weights, remove the checkpoint, and return the history.

    Weights that are already there with the same parameters, and from the same `init`, are left as
    they are: only their history is read.
    """
    deciding = _deciding(parameters, settings, init)
    if Path(weights_path).exists() and load_weights(weights_path)[1] == deciding:
        return load_history(weights_path)
    model, history = train(
        make_model, batch_of, loss_of, settings, checkpoint_path, parameters, label, validate, init
    )
    save_weights(weights_path, model, deciding, history)
    Path(checkpoint_path).unlink(missing_ok=True)
    return history


def save_weights(path, model, parameters, history=()):
    """Write a model's state as safetensors with plain data in the metadata; equal content gives
    equal bytes.
    """
    _write(path, model.state_dict(), {"parameters": parameters, "history": list(history)})


def halve_weights(source, path):
    """Write the weights of a file in half precision, without their history.

    Numbers are rounded by at most 5e-4 of their size, those below 6e-5 by at most 3e-8; they are
    read as single precision. Raises WeightsError for numbers beyond 65504, which half precision
    cannot hold, and for what `load_weights` refuses.
    """
    tensors, parameters = load_weights(source)
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in tensors.items()
    }
    if not all(value.isfinite().all() for value in state.values()):
        raise WeightsError(
            f"{source}: the network has numbers beyond 65504 or not finite, which half precision"
            " cannot hold"
        )
    _write(path, state, {"parameters": parameters, "history": []})


def load_weights(path):
    """State dict and parameters of a weights file. Raises WeightsError if it is missing, truncated,
    or not one of ours.
    """
    tensors, header = _read(path)
    return tensors, header["parameters"]


def load_history(path):
    """The training history in a weights file: a dict of plain numbers a recorded step, some
    thousands at most.
    """
    return _read(path)[1]["history"]


def load_model(path, make_model):
    """`make_model(parameters)` with the weights of a file, in evaluation mode, and those
    parameters.

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
        raise WeightsError(
            f"{path}: does not fit the network: {name!r} has shape {found.get(name, 'none')}, "
            f"expected {expected.get(name, 'none')}"
        )
    model.load_state_dict(tensors)  # converts half precision
