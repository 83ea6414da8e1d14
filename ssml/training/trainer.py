"""Learning the surrogate: back-propagate a separation loss through the iterations of AuxIVA."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ssml.config.sections import VariantParams
from ssml.data.shards import Batch, ShardReader
from ssml.files.io import write_bytes
from ssml.files.progress import progress
from ssml.iva import auxiva, checkpoint, losses, rumble
from ssml.iva.stft import Stft

from . import unrolled
from .distributed import Share
from .unrolled import Iterations, draw_iterations

Row = dict[str, Any]
COLUMNS = ("step", "loss", "grad_norm", "si_sdr", "skipped")
VALIDATED = 20  # iterations of AuxIVA for a validation
WARM_NORMS = 10  # gradient norms after which their percentile is the limit


class Trainer:
    """One training: the network, its moving average, the optimiser, and the history.

    All random numbers depend on `(seed, step)` alone, so the state is tensors and a history. A
    training that resumes from its checkpoint ends with the same bits as one without interruption.
    """

    def __init__(
        self,
        params: VariantParams,
        seed: int,
        fs: int,
        device: torch.device,
        share: Share = Share(),  # noqa: B008
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        """`start`: initial weights. Weights that it lacks are initialised at random."""
        self.params, self.seed, self.fs, self.device = params, seed, fs, device
        self.share, self.start = share, start
        low = rumble.lowest(params.above, params.stft.n_fft, fs)
        self.stft = Stft(**params.stft.model_dump(), low=low)
        self.rule = params.rule
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = self._build()
        if start is not None:
            checkpoint.begin(self.network, start)
        self.shared_cost = share.synchronise(_Cost(self))
        self.average = {key: value.clone() for key, value in self.network.state_dict().items()}
        self.best = {key: value.clone() for key, value in self.average.items()}
        self.best_si_sdr = -np.inf
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=params.lr)
        self.norms = np.zeros(0)  # of the gradients, one a step that was taken
        self.history: list[Row] = []
        self.skipped = 0
        self.run: str | None = None  # id of the tracked run that this training belongs to

    def _build(self) -> nn.Module:
        network = checkpoint.build(self.params.network, self.stft.bins).to(self.device)
        return rumble.hide(network, self.stft.low)

    # --- one step -------------------------------------------------------------------------------

    def cost(self, batch: Batch, iterations: Iterations) -> Tensor:
        """Mean permutation-invariant loss of a batch after `iterations`."""
        mix, ref = (torch.from_numpy(audio).to(self.device) for audio in batch)
        return unrolled.cost(self.params, self.network, self.stft, mix, ref, iterations)

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then constant; over the second half linear to `decay` times lr."""
        rise = min(1.0, (step + 1) / (self.params.warmup + 1))
        fall = min(1.0, 2 * (1 - step / self.params.steps))
        return self.params.lr * rise * max(fall, self.params.decay)

    def step(self, step: int, batch: Batch) -> Row:
        """Update the weights once; a step with a non-finite gradient is skipped and counted."""
        iterations = draw_iterations(self.params, self.seed, step)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate(step)
        self.optimiser.zero_grad()
        loss = self.shared_cost(batch, iterations)
        loss.backward()
        mean, norm = self.share.mean(loss), self._clip()
        if np.isfinite(norm):
            self.optimiser.step()
            self._average(step)
        else:
            self.skipped += 1
        return {"step": step + 1, "loss": mean, "grad_norm": norm, "skipped": self.skipped}

    def _clip(self) -> float:
        """Clip the gradient at a percentile of past norms (AutoClip, Seetharaman et al. 2020).

        Returns the norm before clipping.
        """
        weights = [p for p in self.network.parameters() if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm([p.grad for p in weights if p.grad is not None]))
        if np.isfinite(norm):
            self.norms = np.append(self.norms, norm)
            if len(self.norms) > WARM_NORMS:
                limit = float(np.percentile(self.norms, self.params.clip))
                torch.nn.utils.clip_grads_with_norm_(weights, limit, torch.tensor(norm))
            else:
                torch.nn.utils.clip_grads_with_norm_(weights, 1.0, torch.tensor(norm))
        return norm

    @torch.no_grad()
    def _average(self, step: int) -> None:
        decay = min(self.params.average, (1 + step) / (10 + step))
        for key, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[key].lerp_(value, 1 - decay)
            else:
                self.average[key].copy_(value)

    # --- validation -----------------------------------------------------------------------------

    @torch.no_grad()
    def validate(self, dev: ShardReader) -> float:
        """Mean SI-SDR in dB on `dev` of the averaged weights, after `VALIDATED` iterations."""
        network = self._build()
        network.load_state_dict(self.average)
        network.eval()
        scores = []
        for example in dev:
            mix = torch.from_numpy(example.mix).to(self.device)
            ref = torch.from_numpy(example.reference(self.params.reference)).to(self.device)
            past = {"taps": self.params.taps, "delay": self.params.delay}
            est = auxiva.separate(mix, network, self.rule, VALIDATED, self.stft, **past)
            est, ref = (x - self.stft.below(x) for x in (est, ref))
            matrix = losses.si_sdr_matrix(est, ref, clamp=50)
            scores.append(-float(losses.pit(-matrix)[0]))
        return float(np.mean(scores))

    def keep_best(self, si_sdr: float) -> None:
        """Keep a copy of the averaged weights if their validation SI-SDR is the highest so far."""
        if si_sdr > self.best_si_sdr:
            self.best_si_sdr = si_sdr
            self.best = {key: value.clone() for key, value in self.average.items()}

    # --- state ----------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the next step depends on, as tensors and as JSON."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        tensors["norms"] = torch.from_numpy(self.norms)
        notes = {
            "history": self.history,
            "skipped": self.skipped,
            "run": self.run,
            "best_si_sdr": self.best_si_sdr if np.isfinite(self.best_si_sdr) else None,
        }
        return tensors, notes

    def restore(self, tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """Set the state to one that `state` returned."""

        def below(prefix: str) -> dict[str, Tensor]:
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        self.network.load_state_dict(below("network."))
        self.average = {k: v.to(self.device) for k, v in below("average.").items()}
        self.best = {k: v.to(self.device) for k, v in below("best.").items()}
        adam: dict[int, dict[str, Tensor]] = {}
        for key, value in below("adam.").items():
            index, _, name = key.partition(".")
            adam.setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": adam})
        self.norms = tensors["norms"].numpy()
        self.history = list(notes["history"])
        self.skipped, self.run = notes["skipped"], notes["run"]
        self.best_si_sdr = -np.inf if notes["best_si_sdr"] is None else notes["best_si_sdr"]


class _Cost(nn.Module):
    """A trainer's cost as a module, so that gradients are synchronised once a step."""

    def __init__(self, trainer: Trainer) -> None:
        super().__init__()
        self.network, self.cost = trainer.network, trainer.cost

    def forward(self, batch: Batch, iterations: Iterations) -> Tensor:
        return self.cost(batch, iterations)


def fit(
    trainer: Trainer,
    draw: Callable[..., Batch],
    dev: ShardReader,
    path: Path,
    key: str,
    log: Callable[[Row], None] = lambda row: None,
) -> None:
    """Run the remaining steps; write checkpoints with `key` to `path`; call `log` with each row.

    draw: `(step, size, samples, seed, rank, ranks)` -> the batch, or this process's part of it.
    Where several processes train, only the first validates, logs and writes.
    """
    params, share = trainer.params, trainer.share
    done = len(trainer.history)
    n_samples = round(params.seconds * trainer.fs)
    title = f"train {path.stem}"
    steps = range(done, params.steps)
    shown = progress(steps, title, "steps", lambda: status(trainer)) if share.first else steps
    for step, batch in _ahead(
        lambda step: draw(step, params.batch, n_samples, trainer.seed, *share), shown, params.steps
    ):
        row = trainer.step(step, batch)
        if not share.first:
            continue
        last = step + 1 == params.steps
        if last or (step + 1) % params.validate_every == 0:
            row["si_sdr"] = trainer.validate(dev)
            trainer.keep_best(row["si_sdr"])
        trainer.history.append(row)
        log(row)
        if last or (step + 1) % params.checkpoint_every == 0:
            suspend(trainer, path, key)


def _ahead(
    draw: Callable[[int], Batch], steps: Iterable[int], end: int
) -> Iterator[tuple[int, Batch]]:
    """Yield each step with its batch, which a thread draws while the step before is computed."""
    waiting: dict[int, Future[Batch]] = {}
    with ThreadPoolExecutor(1) as pool:
        for step in steps:
            batch = waiting.pop(step, None) or pool.submit(draw, step)
            if step + 1 < end:
                waiting[step + 1] = pool.submit(draw, step + 1)
            yield step, batch.result()


def suspend(trainer: Trainer, path: Path, key: str) -> None:
    """Write the state to `path`: one file, written whole or not at all."""
    tensors, notes = trainer.state()
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    # one entry: safetensors writes several in any order
    write_bytes(path, save(tensors, {"notes": json.dumps({"key": key, **notes})}))


def resume(trainer: Trainer, path: Path, key: str) -> bool:
    """Restore the state from `path` and return True, if that is a whole checkpoint with `key`.

    `key` is a digest of the parameters, data and code that a training depends on.
    """
    if not path.is_file():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads((file.metadata() or {})["notes"])
            if notes["key"] != key:
                reason = "checkpoint does not match this configuration"
                print(f"{path}: {reason}: starting from step 0", file=sys.stderr)
                return False
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            trainer.restore(tensors, notes)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        # a part may have been restored already: begin with a fresh trainer
        arguments = (trainer.params, trainer.seed, trainer.fs, trainer.device)
        fresh = Trainer(*arguments, trainer.share, trainer.start)
        trainer.__dict__.update(fresh.__dict__)
        print(f"{path}: incomplete checkpoint ({error}): starting from step 0", file=sys.stderr)
        return False
    return True


def status(trainer: Trainer) -> str:
    """The mean loss of the last 20 steps and the last validation, for the progress bar."""
    losses = [row["loss"] for row in trainer.history[-20:]]
    checked = [row["si_sdr"] for row in trainer.history if "si_sdr" in row]
    words = [f"loss {np.mean(losses):.2f}"] if losses else []
    words += [f"dev SI-SDR {checked[-1]:.2f} dB"] if checked else []
    words += [f"{trainer.skipped} steps skipped"] if trainer.skipped else []
    return ", ".join(words)
