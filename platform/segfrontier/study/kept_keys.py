"""The keys of claims' cells, kept in the cache: whoever looks again need not compute them again.

Computing them takes every library that trains, for seconds. What is kept holds only while the claims, the methods,
whatever makes keys, and what the home has decided of `pretrained: auto` are the same. Worlds of files may change
meanwhile, and so may what `auto` finds where nothing is decided: claims that stand on one of these are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from segfrontier.basics.atomic import write_json
from segfrontier.basics.installed import installed, packaged
from segfrontier.basics.marks import mark
from segfrontier.basics.reading import read_json
from segfrontier.errors import DiskFull
from segfrontier.home.layout import Home
from segfrontier.home.records import RECORD, Record
from segfrontier.home.weights import decided_weights
from segfrontier.scenes.cache import cache_folder
from segfrontier.scenes.files import digest
from segfrontier.study.claims import Claim, Claims, Side
from segfrontier.study.judging import KeysOf
from segfrontier.study.stale import code_of

_MAKERS = (
    "segfrontier.study.keys:keyed", "segfrontier.study.claim_cells:study_of", "segfrontier.scenes.builtin:open_world",
)  # fmt: skip
"""What else makes a key, or the digest of a built-in world."""


def keep_keys(home: Path, method: str, claims: Claims, keys: KeysOf) -> None:
    """Keep what was computed, beside what is kept already; where the cache cannot be written, nothing is."""
    decided = _decided(home, claims)
    if decided is None or any(world.partition(":")[0] != "street" for world in _worlds(claims)):
        return
    found = {_name(claim, side): list(keys(claim, side)) for claim, side in claims.sides()}
    with suppress(OSError, DiskFull, RuntimeError):
        mark(cache_folder(), "cache")
        made_from = _made_from(method, decided)
        write_json(_file(method), {"made_from": made_from, "keys": _read(method, made_from) | found}, sync=False)


def kept_keys(home: Path, method: str, claims: Claims) -> KeysOf | None:
    """What was kept; None where not of all of these claims, or where it may not hold any more."""
    decided = _decided(home, claims)
    if decided is None:
        return None
    with suppress(RuntimeError):  # a user without a home
        keys = _read(method, _made_from(method, decided))
        if all(_name(claim, side) in keys for claim, side in claims.sides()):
            return lambda claim, side: keys[_name(claim, side)]
    return None


def none_there(home: Home, claims: Claims) -> bool:
    """No cell of these claims is in the home, whatever their keys are: none has a method and an encoder of theirs.

    So it is in a home of other studies, which has decided nothing of what these claims leave to `auto`.
    """
    methods = {side.method for _, side in claims.sides()}
    encoders = {encoder for encoder, _ in _encoders(claims)} | {None}  # None: a record that does not say
    found = filter(None, (Record.read(file.parent) for file in home.path.glob(f"cells/*/{RECORD}")))
    return "" not in encoders and not any(r.cell["method"] in methods and _encoder(r) in encoders for r in found)


def _encoder(record: Record) -> str | None:
    recipe = record.cell.get("recipe")
    return recipe.get("encoder") if isinstance(recipe, dict) else None


def _read(method: str, made_from: str) -> dict[str, list[str]]:
    plain = read_json(_file(method))
    keys = plain.get("keys") if isinstance(plain, dict) and plain.get("made_from") == made_from else None
    if not isinstance(keys, dict):
        return {}
    return {n: ks for n, ks in keys.items() if isinstance(ks, list) and all(isinstance(key, str) for key in ks)}


def _made_from(method: str, decided: Mapping[str, str]) -> str:
    """What changes with anything that the keys depend on."""
    code = code_of([*installed().values(), *_MAKERS])
    return digest(repr([packaged(method, "claims.yaml"), code, sorted(decided.items())]).encode())


def _decided(home: Path, claims: Claims) -> Mapping[str, str] | None:
    """What the claims leave to `auto`, as the home has decided it; None where it has not."""
    known = decided_weights(home) or {}
    asked = _left_to_auto(claims)
    return {encoder: known[encoder] for encoder in asked} if asked <= known.keys() else None


def _worlds(claims: Claims) -> Iterable[str]:
    given = claims.base.get("worlds", "street")
    own = [claim.worlds for claim in claims.claims if claim.worlds is not None]
    for world in [*(given if isinstance(given, list) else [given]), *own]:
        yield from (str(ref) for ref in world.values() if ref) if isinstance(world, Mapping) else [str(world)]


def _left_to_auto(claims: Claims) -> set[str]:
    return {encoder for encoder, weights in _encoders(claims) if "auto" in weights}


def _encoders(claims: Claims) -> Iterable[tuple[str, Sequence[str]]]:
    """Encoders, each with the weights it may start from; "" is the default one, which no home knows by that name."""
    for claim in claims.claims:
        recipe = claims.base.get("recipe", {}) | claim.recipe
        weights = _listed(recipe.get("pretrained", "auto"))
        yield from ((encoder, weights) for encoder in _listed(recipe.get("encoder", "")))


def _listed(one_or_more: object) -> Sequence[str]:
    return [str(one) for one in one_or_more] if isinstance(one_or_more, list) else [str(one_or_more)]


def _name(claim: Claim, side: Side) -> str:
    return f"{claim.id}: {side.model_dump_json()}"


def _file(method: str) -> Path:
    return cache_folder() / f"claims-{digest(method.encode())[:12]}.json"
