"""Trainings with several seeds: each variant, and each method that uses it, once for each seed.

The first seed keeps the names. Those of seed 2 are `learned-sdr-seed-2` and so on. Stages know the
expanded params alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any


def expand(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The params with a variant for each of `train.seeds`, and a method for each such variant.

    Params that are no such sections stay as they are: the check of all params will say so.
    """
    train, separate = values.get("train"), values.get("separate")
    if not (isinstance(train, Mapping) and isinstance(separate, Mapping)):
        return values
    variants, methods, seeds = train.get("variants"), separate.get("methods"), train.get("seeds")
    if not (isinstance(variants, Mapping) and isinstance(methods, Mapping)):
        return values
    if not (isinstance(seeds, list) and all(isinstance(seed, int) for seed in seeds)):
        return values
    parts = [*variants.values(), *methods.values()]
    if not all(isinstance(part, Mapping) for part in parts) or any("seed" in p for p in parts):
        return values
    trained = {
        _name(name, seed, seeds): _started(variant, seed, seeds, variants)
        for seed in seeds
        for name, variant in variants.items()
    }
    separated: dict[str, Any] = {}
    for name, method in methods.items():
        separated[name] = method
        if (base := method.get("model")) in variants:
            for seed in seeds[1:]:
                model = _name(str(base), seed, seeds)
                separated[_name(name, seed, seeds)] = {**method, "model": model, "repeats": name}
    transcribe = values.get("transcribe")
    if isinstance(transcribe, Mapping) and isinstance(chosen := transcribe.get("methods"), list):
        transcribe = {**transcribe, "methods": list(_with_repeats(chosen, separated))}
    return {
        **values,
        "train": {**train, "variants": trained},
        "separate": {**separate, "methods": separated},
        **({"transcribe": transcribe} if transcribe is not None else {}),
    }


def _name(name: str, seed: int, seeds: list[int]) -> str:
    return name if seed == seeds[0] else f"{name}-seed-{seed}"


def _started(
    variant: Mapping[str, Any], seed: int, seeds: list[int], variants: Mapping[str, Any]
) -> dict[str, Any]:
    """A variant with its seed; it starts from the training of that seed."""
    start = variant.get("start")
    own = {"start": _name(str(start), seed, seeds)} if start in variants else {}
    return {**variant, **own, "seed": seed}


def _with_repeats(chosen: Iterable[str], methods: Mapping[str, Any]) -> Iterable[str]:
    for name in chosen:
        yield name
        yield from (key for key, method in methods.items() if method.get("repeats") == name)
