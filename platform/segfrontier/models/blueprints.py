"""Networks as plain values, from which they can be built again: a short name for each kind of ours, `package:Class` for
those that methods bring along.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter, ValidationError

from segfrontier.basics.wording import explain, nearest
from segfrontier.errors import BadInput
from segfrontier.models.classifier import ClassifierSpec
from segfrontier.models.detector import DetectorSpec
from segfrontier.models.discriminator import ImageDiscriminatorSpec, PatchDiscriminatorSpec
from segfrontier.models.model import ModelSpec

KINDS: Mapping[str, type[Any]] = {
    "segmentation": ModelSpec,
    "classifier": ClassifierSpec,
    "detector": DetectorSpec,
    "patch_discriminator": PatchDiscriminatorSpec,
    "image_discriminator": ImageDiscriminatorSpec,
}


def described(blueprint: Any) -> tuple[str, dict[str, Any] | None]:
    """The kind and the settings of a blueprint; no settings where it is no dataclass of plain values."""
    cls = type(blueprint)
    kind = next((name for name, known in KINDS.items() if known is cls), f"{cls.__module__}:{cls.__qualname__}")
    if not is_dataclass(blueprint):
        return kind, None
    try:
        plain: dict[str, Any] = TypeAdapter(cls).dump_python(blueprint, mode="json")
    except Exception:  # whatever a class of somebody else's does to pydantic
        return kind, None
    return kind, plain


def rebuilt(kind: str, settings: Mapping[str, Any] | None, *, packages: Collection[str] = ()) -> Any:
    """The blueprint that `described` described. Classes of other packages than ours and `packages` are not imported."""
    cls = KINDS.get(kind) or _foreign(kind, packages)
    if settings is None:
        raise BadInput(f"a network of kind {kind!r} has no plain settings; build it in code, and load its weights.pt.")
    try:
        return TypeAdapter(cls).validate_python(dict(settings))
    except ValidationError as error:
        raise BadInput(explain(error, cls, where=f"the settings of a {kind} network")) from None


def _foreign(kind: str, packages: Collection[str]) -> type[Any]:
    module, colon, name = kind.partition(":")
    if not colon:
        raise BadInput(f"a network is of a known kind; found {kind!r} ({nearest(kind, KINDS)})")
    if module.partition(".")[0] not in packages:
        raise BadInput(
            f"networks are built from installed methods; {kind!r} belongs to none of {', '.join(sorted(packages))}. "
            f"Install the package that brings it as a method."
        )
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BadInput(
            f"a network needs its class {kind!r}; it cannot be found ({error}). Install its version."
        ) from None
    if not isinstance(found, type):
        raise BadInput(f"{kind!r} must be a class; it is none. Correct the description.")
    return found
