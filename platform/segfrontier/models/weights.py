"""Where an encoder's pretrained weights come from: timm's hub, its cache, a local file, or nowhere.

Looking for them costs seconds at most, with or without a network.
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

_PATIENCE = 5.0  # seconds to wait for a hub to answer at all; its own retries would take 23
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


class RandomWeights(UserWarning):
    """An encoder was asked for with pretrained weights and starts from random ones."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What an encoder starts from. `origin` belongs into the facets of every run."""

    origin: str
    """`timm:<model>.<tag>`, `file:<name>#<digest>` or `random`."""
    file: Path | None = None


def find_weights(encoder: str, pretrained: str) -> Weights:
    """The weights that `pretrained` names, fetched if need be; a warning if `auto` ends in random ones."""
    if pretrained == "never":
        return Weights(origin="random")
    if pretrained != "auto":
        path = Path(pretrained).expanduser()
        if not path.is_file():
            raise BadInput(f"pretrained must be 'auto', 'never' or a file; {str(path)!r} is no file; check the path")
        return Weights(origin=f"file:{path.name}#{file_digest(path)}", file=path)
    found = _from_timm(encoder)
    if isinstance(found, Weights):
        return found
    warnings.warn(
        f"encoder {encoder!r} starts from RANDOM weights: {found}. Scores will be far below published ones. "
        f"Give `pretrained` the path of a downloaded file, or 'never' if random weights are meant",
        RandomWeights,
        stacklevel=4,
    )
    return Weights(origin="random")


def _from_timm(name: str) -> Weights | str:
    """timm's weights for a model, or the reason why there are none."""
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.has_weights:
        return "timm publishes none for it"
    try:
        file = _from_hub(cfg) if cfg.hf_hub_id else _from_url(str(cfg.url))
    except Exception as error:  # the hub's clients raise many kinds; whichever it is, there are no weights
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return Weights(origin=f"timm:{cfg.architecture}.{cfg.tag}".removesuffix("."), file=file)


def _from_hub(cfg: PretrainedCfg) -> Path:
    repo, _, revision = str(cfg.hf_hub_id).partition("@")
    names = (cfg.hf_hub_filename,) if cfg.hf_hub_filename else _HUB_FILES
    for name in names:
        cached = huggingface_hub.try_to_load_from_cache(repo, name, revision=revision or None)
        if isinstance(cached, str):
            return Path(cached)
    _require_answer(huggingface_hub.constants.ENDPOINT)
    for name in names:
        try:
            return Path(huggingface_hub.hf_hub_download(repo, name, revision=revision or None, etag_timeout=_PATIENCE))
        except LocalEntryNotFoundError:
            raise  # the connection broke; it is a kind of "entry not found" too
        except EntryNotFoundError:
            continue
    raise FileNotFoundError(f"{repo} has none of {', '.join(names)}")


def _from_url(url: str) -> Path:
    """A file that timm keeps outside the hub (19 of its 1,826 sets of weights)."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
    if not path.exists():
        _require_answer(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}")
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
