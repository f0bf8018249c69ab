"""Weight files: read safely, freed from their wrappers and prefixes, and fitted to an encoder key by key."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from timm.models import load_pretrained
from torch import Tensor, nn

from segfrontier.errors import BadInput
from segfrontier.models.tensors import read_tensors

# Where training scripts put a network inside a checkpoint, the averaged copy first.
_WRAPPERS = ("state_dict_ema", "model_ema", "teacher", "state_dict", "model", "student")

State = Mapping[str, Tensor]


def file_digest(path: Path) -> str:
    """16 hex digits that identify the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def read_state(path: Path) -> State:
    """The tensors of a safetensors or torch file, by name; nothing in the file is executed."""
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        found = read_tensors(path)
    except BadInput:
        raise
    except Exception as error:  # each of the two libraries has its own family of errors for a file it cannot read
        raise BadInput(
            f"{path} must be a safetensors file, or a torch file of plain tensors (weights_only=True); it could not "
            f"be read: {type(error).__name__}: {error}. Save the network's state_dict() alone"
        ) from error
    return _unwrap(found, path)


def load_encoder(
    body: nn.Module, state: State, *, name: str, options: dict[str, Any], source: str, in_order: bool = False
) -> None:
    """Put `state` into the feature extractor `body`: all of its keys, and none left over.

    Two vocabularies are understood: the keys of `body` itself (a checkpoint of ours) and the keys of timm's whole
    model, which timm's own filter may translate from the original authors' format and adapt to other input channels.
    With `in_order` the tensors have names of their own and stand in the order of timm's whole model.
    """
    if in_order:
        with torch.device("meta"):
            state = renamed_in_order(state, timm.create_model(name).state_dict(), source)
    own = _without_prefix(state, body.state_dict(), source)
    if _shapes(own) == _shapes(body.state_dict()):
        _load(body, own, source)
        return
    whole: Any = timm.create_model(name, num_classes=0, **_whole_options(options))
    _load_whole(whole, _without_prefix(state, whole.state_dict(), source), name, options["in_chans"], source)
    values = {key.replace(".", "_"): value for key, value in whole.state_dict().items()}
    _load(body, {key: _renamed(key, values) for key in body.state_dict()}, source)


def renamed_in_order(state: State, expected: State, source: str) -> State:
    """The tensors under the names of `expected`, one by one; BadInput unless each is of the same kind and shape.

    The kind is what torch calls it in its layer: a mean never takes the place of a variance of the same shape.
    """
    if len(state) != len(expected):
        raise BadInput(
            f"{source} must hold {len(expected)} tensors in the encoder's order; it holds {len(state)}. "
            f"Give the file of this very architecture"
        )
    pairs = list(zip(state.items(), expected.items(), strict=True))
    wrong = [
        f"{found} {tuple(tensor.shape)} for {wanted} {tuple(place.shape)}"
        for (found, tensor), (wanted, place) in pairs
        if tensor.shape != place.shape or found.rpartition(".")[2] != wanted.rpartition(".")[2]
    ]
    if wrong:
        raise BadInput(
            f"{source} must hold its tensors in the encoder's order; these do not fit: {_some(wrong, 3)}. "
            f"Give the file of this very architecture"
        )
    return {wanted: tensor for (_, tensor), (wanted, _) in pairs}


def _load_whole(whole: Any, state: State, name: str, in_channels: int, source: str) -> None:
    problems: list[tuple[list[str], list[str]]] = []
    handle = whole.register_load_state_dict_post_hook(
        lambda _, keys: problems.append((list(keys.missing_keys), list(keys.unexpected_keys)))
    )
    try:
        load_pretrained(
            whole,
            pretrained_cfg={**whole.pretrained_cfg, "state_dict": dict(state)},
            num_classes=0,  # no classifier: timm drops the file's
            in_chans=in_channels,
            filter_fn=getattr(sys.modules[type(whole).__module__], "checkpoint_filter_fn", None),
            strict=False,
        )
    except (RuntimeError, KeyError) as error:  # shapes that differ, or a filter that met an unknown format
        raise _misfit(source, error) from error
    finally:
        handle.remove()
    missing, unexpected = problems[-1]
    with torch.device("meta"):
        classifier = timm.create_model(name).state_dict().keys() - whole.state_dict().keys()
    _complain(
        # Counters of seen batches are younger than many files and play no part when momentum is set.
        [key for key in missing if not key.endswith("num_batches_tracked")],
        [key for key in unexpected if key not in classifier],
        source,
    )


def _load(module: nn.Module, state: State, source: str) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise _misfit(source, error) from error


def _misfit(source: str, error: Exception) -> BadInput:
    # torch writes a headline, then a line for each weight.
    lines = [line.strip().rstrip(".") for line in str(error).splitlines()]
    return BadInput(
        f"{source} must fit the encoder; it does not: {_some(lines[1:] or lines, 3)}. "
        f"Give the file of this very architecture"
    )


def _complain(missing: list[str], unexpected: list[str], source: str) -> None:
    if missing or unexpected:
        raise BadInput(
            f"{source} must hold exactly the encoder's weights; missing: {_some(missing)}; unexpected: "
            f"{_some(unexpected)}. Give the file of this very architecture, or name the architecture of this file"
        )


def _shapes(state: State) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in state.items()}


def _some(things: list[str], most: int = 5) -> str:
    shown = ", ".join(things[:most]) or "none"
    return f"{shown} and {len(things) - most} more" if len(things) > most else shown


def _renamed(key: str, whole: State) -> Tensor:
    """The value of an extractor's weight in the whole model's state.

    Extractors rename `stages.0` to `stages_0`, or hold the model as `model` or `body`; dots apart, the rest is equal.
    """
    flat = key.replace(".", "_")
    return whole[flat] if flat in whole else whole[flat.partition("_")[2]]


def _whole_options(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in ("out_indices", "feature_cls")}


def _without_prefix(state: State, expected: Iterable[str], source: str) -> State:
    """The part of `state` under the prefix that makes most of its names expected ones, without that prefix."""
    wanted = set(expected)
    scores: dict[str, int] = {}
    for key in state:
        parts = key.split(".")
        for cut in range(len(parts)):
            if ".".join(parts[cut:]) in wanted:
                prefix = "".join(f"{part}." for part in parts[:cut])
                scores[prefix] = scores.get(prefix, 0) + 1
    best = [prefix for prefix, score in scores.items() if score == max(scores.values())]
    if len(best) > 1:
        raise BadInput(f"{source} holds the encoder more than once, under {', '.join(map(repr, best))}; save only one")
    if not best or not best[0]:
        return state
    return {key.removeprefix(best[0]): value for key, value in state.items() if key.startswith(best[0])}


def _unwrap(found: object, path: Path) -> State:
    while isinstance(found, Mapping):
        tensors = {str(key): value for key, value in found.items() if isinstance(value, Tensor)}
        if tensors:
            return tensors
        inner = [key for key in _WRAPPERS if isinstance(found.get(key), Mapping)]
        if not inner:
            keys = ", ".join(map(str, found)) or "nothing"
            raise BadInput(f"{path} must hold a state dict, bare or under {', '.join(_WRAPPERS)}; found keys: {keys}")
        found = found[inner[0]]
    raise BadInput(f"{path} must hold a state dict; found a {type(found).__name__}; save network.state_dict()")
