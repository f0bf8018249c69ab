"""Packages made on the spot, installed as pip would: code on the path, metadata beside it."""

import importlib
import sys

import safetensors.torch
import timm
import torch


def state_of(encoder="test_resnet", seed=11):
    """The weights of timm's whole model, classifier included."""
    torch.manual_seed(seed)
    return timm.create_model(encoder).state_dict()


def install(
    patch, folder, name="toy-weights", *, encoder="test_resnet", state=None, version="1.2", metadata="", code=""
):
    """A package that offers weights for an encoder by an entry point; returns its weights file."""
    module = name.replace("-", "_")
    (folder / module).mkdir(parents=True)
    file = folder / module / "model.safetensors"
    safetensors.torch.save_file(state or state_of(encoder), file)
    made = "from pathlib import Path\n\ndef found():\n    return Path(__file__).with_name('model.safetensors')\n"
    (folder / module / "__init__.py").write_text(code or made)
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    licence = metadata or "License-Expression: MIT\n"
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{licence}")
    (info / "entry_points.txt").write_text(f"[segfrontier.weights]\n{encoder} = {module}:found\n")
    patch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    sys.modules.pop(module, None)
    return file
