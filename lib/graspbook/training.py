"""One training loop for every network: Adam, validation, progress, checkpoints that resume exactly.

A checkpoint is a weights file with the state of the optimiser and of the generator.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from graspbook.errors import ParameterError
from graspbook.storage import content_hash
from graspbook.weights_files import (
    load_history,
    load_state,
    load_weights,
    read_tensors,
    save_weights,
    write_tensors,
)

SCHEDULES = ("constant", "cosine")
# A history has every step of a run of this length, and at most twice as many steps of a longer run.
MOST_RECORDS = 2000
Figures = dict[str, float]


@dataclass(frozen=True)
class TrainSettings:
    """Settings of a training; learning rate and schedule default to the paper's.

    steps: number of steps of the optimiser, Adam.
    schedule: "constant", or "cosine" from the learning rate to zero at the last step.
    weight_decay: decoupled (AdamW; 0: Adam).
    clip: largest norm of the gradient, None for no limit.
    validate_every: steps between validations, 0 for none.
    patience: validations without improvement that end the training, 0 for no limit.
    threads: of torch; the bits of the result depend on it.
    checkpoint_seconds: least time between two checkpoints.
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
        expected = ""
        if self.steps < 1 or self.threads < 1 or not self.learning_rate > 0:
            expected = "steps >= 1, threads >= 1 and a learning rate above 0"
        elif not min(self.validate_every, self.patience) >= 0 <= self.weight_decay:
            expected = "weight_decay, validate_every and patience >= 0"
        elif self.clip is not None and not self.clip > 0:
            expected = "a clip above 0, or none"
        elif self.patience and not self.validate_every:
            expected = "validate_every >= 1 if patience is used"
        if expected:
            raise ParameterError(f"training expects {expected}, not {self}")

    def rate(self, step: int) -> float:
        """Learning rate at a step.

        step: number of the step, from 0 on.
        """
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * ((1 + math.cos(math.pi * step / self.steps)) / 2)


@cache
def multiplies_bfloat16(kind: str) -> bool:
    """Whether devices of a kind multiply bfloat16 matrices faster than float32 ones.

    kind: "cpu" or "cuda".
    """
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


def train(
    make_model: Callable[[], torch.nn.Module],
    batch_of: Callable[[int], Any],
    loss_of: Callable[..., tuple[torch.Tensor, Figures]],
    settings: TrainSettings,
    checkpoint_path: Path | str,
    *,
    parameters: dict[str, Any],
    label: str = "training",
    validate: Callable[[Any], Figures] | None = None,
    init: Path | str | None = None,
    fused: bool = False,
) -> tuple[Any, list[Figures]]:
    """Train a network and return it, in evaluation mode, with its history.

    A history is a dict of plain numbers per recorded step. A checkpoint of the same `parameters`,
    settings and `init` is resumed. The run then ends with the same bits as one that was never
    stopped. Any other checkpoint is replaced. Raises WeightsError for a checkpoint or an `init`
    that cannot be read.

    make_model: makes the network, initialised from `settings.seed`.
    batch_of: gives the batch of a step; it depends only on the step.
    loss_of: gives the loss of (model, batch, generator), and a dict of plain numbers.
    settings: steps, rate and decay of the training.
    checkpoint_path: file of the state during training.
    parameters: plain data on which the result depends.
    label: text of the progress bar.
    validate: gives a dict of plain numbers of the model, with a "loss". It is called at the steps
        of the settings and after the last one. The numbers are added to the history as
        "validation_...", and the returned model is that of the least loss.
    init: weights file to start from; random weights if None.
    fused: whether the optimiser takes all of its steps in one pass over memory. A network of many
        parameters then trains faster, and its results differ by rounding.
    """
    parameters = _deciding(parameters, settings, init)
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model = make_model()
        if init is not None:
            load_state(init, model, load_weights(init)[0])
        run = _Run(model, settings, Path(checkpoint_path), parameters, fused=fused)
        return run.finish(batch_of, loss_of, validate, label)
    finally:
        torch.set_num_threads(threads)


def train_to_file(
    weights_path: Path | str,
    checkpoint_path: Path | str,
    make_model: Callable[[], torch.nn.Module],
    batch_of: Callable[[int], Any],
    loss_of: Callable[..., tuple[torch.Tensor, Figures]],
    *,
    settings: TrainSettings,
    parameters: dict[str, Any],
    label: str,
    validate: Callable[[Any], Figures] | None = None,
    init: Path | str | None = None,
    fused: bool = False,
) -> list[Figures]:
    """Train as `train` does, write the weights, remove the checkpoint, and return the history.

    Existing weights with the same parameters and `init` are kept, and only their history is read.

    weights_path: the file to write.
    checkpoint_path, make_model, batch_of, loss_of: as for `train`.
    settings, parameters, label, validate, init, fused: as for `train`.
    """
    deciding = _deciding(parameters, settings, init)
    if Path(weights_path).exists() and load_weights(weights_path)[1] == deciding:
        return load_history(weights_path)
    model, history = train(
        make_model,
        batch_of,
        loss_of,
        settings,
        checkpoint_path,
        parameters=parameters,
        label=label,
        validate=validate,
        init=init,
        fused=fused,
    )
    save_weights(weights_path, model, deciding, history)
    Path(checkpoint_path).unlink(missing_ok=True)
    return history


def _deciding(parameters, settings, init):
    """Everything that determines the result, as read back from JSON."""
    described = asdict(settings)
    del described["checkpoint_seconds"]
    parameters = parameters | {"train": described}
    if init is not None:
        tensors = load_weights(init)[0]
        values = (value.numpy() for value in tensors.values())
        parameters["init"] = content_hash(list(tensors), *values)
    return json.loads(json.dumps(parameters))


class _Run:
    """A training run at one step: the contents of a checkpoint."""

    def __init__(self, model, settings, path, parameters, *, fused):
        self.model, self.settings, self.path, self.parameters = model, settings, path, parameters
        options = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
        self.optimiser = torch.optim.AdamW(model.parameters(), **options, fused=fused or None)
        self.device = next(model.parameters()).device
        self.generator = torch.Generator(self.device).manual_seed(settings.seed)
        self.step, self.history = 0, []
        # The best state so far, its validation loss, and the validations since.
        self.best, self.best_loss, self.worse = None, math.inf, 0

    def finish(self, batch_of, loss_of, validate, label):
        """The model and its history after the last step; it continues from a checkpoint if there is
        one.
        """
        if self.path.exists():
            self._read()
        settings = self.settings
        every = max(1, settings.steps // MOST_RECORDS)
        look = settings.validate_every if validate else 0
        saved = time.monotonic()
        self.model.train()
        with tqdm(total=settings.steps, initial=self.step, desc=label, unit="step") as progress:
            while self.step < settings.steps and not (look and 0 < settings.patience <= self.worse):
                figures = self._one_step(batch_of(self.step), loss_of)
                step, self.step = self.step, self.step + 1
                looked = look and (self.step % look == 0 or self.step == settings.steps)
                if looked:
                    figures |= self._validate(validate)
                if step % every == 0 or looked:
                    self.history.append({"step": step, **figures})
                progress.update()
                shown = {name: f"{value:.4g}" for name, value in figures.items()}
                progress.set_postfix(shown, refresh=False)
                if time.monotonic() - saved > settings.checkpoint_seconds:
                    self._write()
                    saved = time.monotonic()
        if self.best:
            self.model.load_state_dict(self.best)
        return self.model.eval(), self.history

    def _one_step(self, batch, loss_of):
        """One step of the optimiser, and its figures."""
        self.optimiser.param_groups[0]["lr"] = self.settings.rate(self.step)
        loss, figures = loss_of(self.model, batch, self.generator)
        self.optimiser.zero_grad()
        loss.backward()
        if self.settings.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimiser.step()
        return {"loss": float(loss.detach()), **figures}

    def _validate(self, validate):
        """Figures of a validation; they decide whether this is the best state so far."""
        self.model.eval()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.no_grad(), torch.random.fork_rng(devices):
            figures = validate(self.model)
        self.model.train()
        self.worse += 1
        loss = figures["loss"]
        if loss < self.best_loss or self.best is None:
            self.best = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.best_loss, self.worse = math.inf if math.isnan(loss) else loss, 0
        return {f"validation_{name}": value for name, value in figures.items()}

    def _write(self):
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in (self.best or {}).items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
        tensors["generator"] = self.generator.get_state()
        header = {"step": self.step, "history": self.history, "worse": self.worse}
        if self.best:
            header["best_loss"] = self.best_loss
        write_tensors(self.path, tensors, {"parameters": self.parameters, **header})

    def _read(self):
        """Continue from the checkpoint; do nothing if its parameters differ."""
        tensors, header = read_tensors(self.path)
        if header["parameters"] != self.parameters:
            return
        parts, state = {}, {}
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            parts.setdefault(kind, {})[rest] = value
        load_state(self.path, self.model, parts["model"])
        for name, value in parts["adam"].items():
            index, part = name.split(".")
            state.setdefault(int(index), {})[part] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.generator.set_state(tensors["generator"])
        self.step, self.history, self.worse = header["step"], header["history"], header["worse"]
        if "best" in parts:
            self.best, self.best_loss = parts["best"], header["best_loss"]
