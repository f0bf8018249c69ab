"""Where an encoder's pretrained weights come from: a file, timm's cache and hub, an installed package, or nowhere.

Looking for them costs seconds at most, with or without a network. What `auto` finds depends on the machine and the
moment; `pinned` says it as a setting that means the same weights everywhere, or an error.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import huggingface_hub
import timm
import torch
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from timm.models import PretrainedCfg

from segfrontier.errors import BadInput
from segfrontier.models.checkpoints import file_digest
from segfrontier.models.offers import SCHEME, offered, way_to

_PATIENCE = 5.0  # seconds to wait for a hub to answer at all; its own retries would take 23
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_TIMM = "timm:"


class RandomWeights(UserWarning):
    """An encoder was asked for with pretrained weights and starts from random ones."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What an encoder starts from. `origin` belongs into the facets of every run."""

    origin: str
    """`timm:<model>.<tag>`, `file:<name>#<digest>`, `package:<name> <version>#<digest> (<licence>)` or `random`."""
    file: Path | None = None
    in_order: bool = False
    """The file's tensors stand in the order of timm's whole model, under names of their own."""


def find_weights(encoder: str, pretrained: str) -> Weights:
    """The weights that `pretrained` names, fetched if need be; a warning if `auto` ends in random ones."""
    if pretrained == "never":
        return Weights(origin="random")
    if pretrained == "auto":
        found = _found(encoder)
        if isinstance(found, str):
            warnings.warn(random_words(encoder, found), RandomWeights, stacklevel=4)
            return Weights(origin="random")
        return found
    if pretrained.startswith(_TIMM):
        return _timm_named(encoder, pretrained)
    if pretrained.startswith(SCHEME):
        return _package_named(encoder, pretrained)
    path = Path(pretrained).expanduser()
    if not path.is_file():
        raise BadInput(f"pretrained must be 'auto', 'never' or a file; {str(path)!r} is no file; check the path")
    return Weights(origin=f"file:{path.name}#{file_digest(path)}", file=path)


def pinned(encoder: str, pretrained: str) -> str:
    """The setting that names what `pretrained` stands for here and now: the same weights on every machine, or an error.

    `auto` becomes the origin of what it finds, or `never`; a file stays a file.
    """
    if pretrained != "auto" and not pretrained.startswith(SCHEME):
        return pretrained
    origin = find_weights(encoder, pretrained).origin
    return "never" if origin == "random" else origin


def is_origin(pretrained: str) -> bool:
    """Whether the setting says by itself where weights come from, so that nothing need be looked for to know it."""
    return pretrained.startswith(_TIMM) or (pretrained.startswith(SCHEME) and "#" in pretrained)


def weights_words(pretrained: str) -> str:
    """What a setting says of the weights, for people; empty where they are random or still to be found."""
    if pretrained in ("auto", "never"):
        return ""
    return pretrained.removeprefix(SCHEME).partition("#")[0] if is_origin(pretrained) else Path(pretrained).name


def foreseen(encoder: str) -> Weights | str:
    """What `auto` will find, or why nothing; without a file where the hub has still to send it. Fetches nothing."""
    return _found(encoder, fetch=False)


def random_words(encoder: str, why: str) -> str:
    """What is said where an encoder starts from random weights that nobody asked for."""
    return (
        f"encoder {encoder!r} starts from RANDOM weights: {why}. Scores will be far below published ones: "
        f"{way_to(encoder)}, give `pretrained` the path of a file, or 'never' if random weights are meant"
    )


def _found(encoder: str, *, fetch: bool = True) -> Weights | str:
    """timm's weights where they are here or can be had, else a package's; or the reason why there are none."""
    found = _from_timm(encoder, fetch=fetch)
    if isinstance(found, Weights):
        return found
    return next(iter(_from_packages(encoder)), f"{found}, and no installed package offers any")


def _from_packages(encoder: str) -> list[Weights]:
    return [Weights(origin=o.origin, file=o.file, in_order=o.in_order) for o in offered(encoder)]


def _package_named(encoder: str, pretrained: str) -> Weights:
    """The offer with this origin; `package:NAME` alone is the version that is installed."""
    found = _from_packages(encoder)
    for weights in found:
        if pretrained in (weights.origin, weights.origin.partition(" ")[0]):
            return weights
    raise BadInput(
        f"{encoder} must start from {pretrained}; installed here: {', '.join(w.origin for w in found) or 'none'}. "
        f"Install that package in that version, or name other weights as `pretrained`."
    )


def _timm_named(encoder: str, pretrained: str) -> Weights:
    cfg = timm.get_pretrained_cfg(encoder)
    own = None if cfg is None or not cfg.has_weights else _timm_origin(cfg)
    if own != pretrained:
        raise BadInput(
            f"{encoder} must start from {pretrained}; timm's weights of that encoder are {own or 'none'}. "
            f"Name them so, or give the encoder its tag."
        )
    found = _from_timm(encoder)
    if isinstance(found, str):
        raise BadInput(
            f"{encoder} must start from {pretrained}; they cannot be had here: {found}. Run once where there is a "
            f"network, copy its cache, or name other weights as `pretrained`."
        )
    return found


def _from_timm(name: str, *, fetch: bool = True) -> Weights | str:
    """timm's weights for a model, or the reason why there are none."""
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.has_weights:
        return "timm publishes none for it"
    try:
        file = (_from_hub if cfg.hf_hub_id else _from_url)(cfg, fetch)
    except Exception as error:  # the hub's clients raise many kinds; whichever it is, there are no weights
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return Weights(origin=_timm_origin(cfg), file=file)


def _timm_origin(cfg: PretrainedCfg) -> str:
    return f"{_TIMM}{cfg.architecture}.{cfg.tag}".removesuffix(".")


def _from_hub(cfg: PretrainedCfg, fetch: bool) -> Path | None:
    """The file in the hub's cache, or fetched; none where it could be, and is not to be."""
    repo, _, revision = str(cfg.hf_hub_id).partition("@")
    names = (cfg.hf_hub_filename,) if cfg.hf_hub_filename else _HUB_FILES
    for name in names:
        cached = huggingface_hub.try_to_load_from_cache(repo, name, revision=revision or None)
        if isinstance(cached, str):
            return Path(cached)
    _require_answer(huggingface_hub.constants.ENDPOINT)
    if not fetch:
        return None
    for name in names:
        try:
            return Path(huggingface_hub.hf_hub_download(repo, name, revision=revision or None, etag_timeout=_PATIENCE))
        except LocalEntryNotFoundError:
            raise  # the connection broke; it is a kind of "entry not found" too
        except EntryNotFoundError:
            continue
    raise FileNotFoundError(f"{repo} has none of {', '.join(names)}")


def _from_url(cfg: PretrainedCfg, fetch: bool) -> Path | None:
    """The same for a file that timm keeps outside the hub (19 of its 1,826 sets of weights)."""
    url = str(cfg.url)
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
    if not path.exists():
        _require_answer(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}")
        if not fetch:
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), progress=False)
    return path


def _require_answer(site: str) -> None:
    if not _answers(site):
        raise ConnectionError(f"they are not in the local cache, and {site} does not answer")


@lru_cache
def _answers(site: str) -> bool:
    """Whether a site answers in time. Asked once a process, in a thread: looking up a name has no time limit."""
    answered: list[bool] = []

    def ask() -> None:
        try:
            huggingface_hub.get_session().head(site, timeout=_PATIENCE)
        except Exception:  # offline mode, no route, no name, a proxy that refuses: all mean no
            return
        answered.append(True)

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(2 * _PATIENCE)
    return bool(answered)
