"""Malformed calls: every option of every verb with values of no use, and what was once found to go wrong."""

import inspect
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import get_args, get_type_hints

import typer.main

from segfrontier.commands.verbs import app

LONG = "x" * 300
TEXTS = ("", LONG, "[/x]", "²", "-3", "**", "a\nb", "../../x", "[1", "pipe")
RARE = {"²", "-3", "**", "a\nb", "../../x", "pipe", "[1", "1e9", "1e999", "loop", "file/x"}
"""Values that are tried in the slow ring alone."""
VALUES = {
    str: TEXTS,
    Path: ("", "file", "file/x", LONG, "loop", "pipe", "/proc/nope", "[/x]"),
    int: ("", "x", "-1", "1e9", "99999999999999999999", "²"),
    float: ("", "x", "nan", "-1", "1e999"),
    StrEnum: ("", "x"),
}
ANYWHERE = ("--set", "worlds=street", "--set", "prices=street", "--working-dir", "toy")
"""What a job finds on every node, and a folder that stays small whatever other calls have made."""
BASES = {
    "plan": ("study.yaml", "--no-probe"),
    "run": ("nowhere.yaml",),
    "demo": ("--set", "x"),
    "status": ("made",),
    "logs": ("zz",),
    "submit": ("study.yaml", *ANYWHERE, "--home", "/nowhere/runs", "--address", "http://127.0.0.1:1"),
    "stop": ("made",),
    "frontier": ("nope",),
    "doctor": ("nope.yaml",),
    "ui": ("--uri", "garbage"),
    "train": ("fine", "--world", "nowhere"),
    "score": ("nowhere:0",),
    "predict": ("nowhere", "toy", "--out", "masks"),
    "export": ("nowhere", "--to", "torch", "--out", "model.pt2"),
    "methods": (),
    "ledger": ("runs",),
    "claims run": ("nope",),
    "claims show": ("nope",),
    "claims tables": ("nope",),
    "world import": ("cityscapes", "nowhere", "new"),
    "world list": (),
    "world inspect": ("toy",),
    "world preview": ("toy",),
    "world export": ("toy", "file"),
    "store ls": ("runs/store",),
    "store gc": ("runs/store",),
}
"""What a verb needs to come to its options. What would train or serve is given something that it refuses in the end."""


@dataclass(frozen=True)
class Call:
    """A call, the exit codes that it may have, and a word that a refusal must tell."""

    words: tuple
    codes: tuple = (0, 1, 2, 3)
    found: str = ""
    rare: bool = False

    @property
    def id(self):
        return " ".join(word if len(word) < 40 else f"{word[:8]}*{len(word)}" for word in self.words) or "nothing"


def refused(line, found, *, code=3):
    """A call by its words, divided by two blanks where one holds a blank."""
    return Call(tuple(line.split("  ") if "  " in line else line.split(" ")), (code,), found)


def generated():
    """Each option and argument of each verb with each value of no use."""
    for name, command in verbs():
        base, kinds = BASES[name], kinds_of(command)
        for parameter in command.params:
            values = VALUES.get(kinds[parameter.name], ()) if parameter.name in kinds else ()
            if parameter.param_type_name == "argument":
                yield from (Call((*name.split(), value), rare=value in RARE) for value in values)
            elif parameter.name not in ("help", "uri"):
                words = (*name.split(), *base, parameter.opts[0])
                yield from (Call((*words, value), rare=value in RARE) for value in values)
        yield Call((*name.split(), *base, "--nonsense"), (2,), "--nonsense")
        yield Call((*name.split(), *base, "one-too-many", "two-too-many"), (0, 2, 3))


def kinds_of(command):
    """What each parameter of a verb is: text, a path, a number or a choice; of a list, what it is made of."""
    hints = get_type_hints(inspect.unwrap(command.callback))
    plain = {name: kind for name, hint in hints.items() if (kind := plain_kind(hint)) is not None}
    return {name: StrEnum if issubclass(kind, StrEnum) else kind for name, kind in plain.items()}


def plain_kind(hint):
    """`list[Path] | None` is a path."""
    if isinstance(hint, type) and not get_args(hint):
        return None if hint is type(None) else hint
    return next(filter(None, map(plain_kind, get_args(hint))), None)


def verbs():
    """Every verb with its command."""
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        yield from ((f"{name} {verb}", one) for verb, one in inner.items()) if inner else [(name, command)]


TOY = "--world  toy  --prices  toy.yaml"
KNOWN = (
    refused("world import cityscapes nowhere new", "there is no such folder"),
    refused("world import cityscape nowhere new", "Did you mean 'cityscapes'"),
    refused("world import gta5 toy new", "images/"),
    refused("world import bdd100k toy new --domain both", "both"),
    refused("world import voc toy new --classes synthia16", "synthia16"),
    refused("world import camvid nowhere new --classes synthia16", "'camvid'", code=2),
    refused("train  fine  --knob  x=[1", "[1"),
    refused("train  fine  --set  crop=[96", "[96"),
    refused("train  fine  --set  nokey", "nokey"),
    refused("train  fine  --set  lr=1", "recipe.lr=1"),
    refused("train  fine  --set  recipe.lrr=1", "lr"),
    refused("train  fine  --set  recipe.lr=[1, 2]", "make 2"),
    refused("train  fine  --knob  split=0.5", "split"),
    refused("train  fine+coarse  --knob  split=x", "'x'"),
    refused("train  fine+coarse  --knob  split=5", "5"),
    refused("train  fine  --world  street:size=²x³", "²x³"),
    refused(f"train  fine  {TOY}  --loaders  -3", "--loaders", code=2),
    refused(f"train  fine  {TOY}  --workers  -3", "--workers", code=2),
    refused(f"train  fine  {TOY}  --seed  -1", "--seed", code=2),
    refused(f"train  fine  {TOY}  --seed  99999999999999999999", "--seed", code=2),
    refused(f"train  fine  {TOY}  --device  cuda:99", "cuda:99"),
    refused(f"train  fine  {TOY}  --device  toaster", "toaster"),
    refused(f"train  fine  {TOY}  --hours  nan", "nan"),
    refused(f"train  fine  {TOY}  --hours  1e300", "1e300"),
    refused(f"train  fine  {TOY}  --hours  soon", "soon"),
    refused(f"train  fine  {TOY}  --encoder  nonsense", "nonsense"),
    refused(f"train  fine  {TOY}  --head  nonsense", "nonsense"),
    refused(f"train  fine  {TOY}  --pretrained  nofile.pt", "nofile.pt"),
    refused(f"train  fine  {TOY}  --pretrained  file", "file"),
    refused(f"train  fine  {TOY}  --home  file", "file"),
    refused(f"train  fine  {TOY}  --home  /proc/nope", "/proc/nope"),
    refused(f"train  fine  {TOY}  --set  recipe.lr=-1", "-1"),
    refused(f"train  fine  {TOY}  --set  recipe.lr=.inf", "inf"),
    refused(f"train  fine  {TOY}  --set  recipe.crop=[0, 0]", "0"),
    refused("train  fine  --world  /etc/passwd", "/etc/passwd"),
    refused("train  [/x]", "[/x]"),
    refused("plan latin1.yaml", "0xe9"),
    refused("plan binary.yaml", "0x80"),
    refused("plan empty.yaml", "nothing"),
    refused("plan list.yaml", "list"),
    refused("plan merge.yaml", "base"),
    refused("plan deep.yaml", "64 levels"),
    refused("plan bomb.yaml", "100000 values"),
    refused("plan pipe", "pipe"),
    refused("plan loop", "loop"),
    refused("plan gone", "gone"),
    refused("plan .", "folder"),
    refused("plan /dev/zero", "/dev/zero"),
    refused("plan nope.yaml", "nope.yaml"),
    refused("plan coarse_to_fine:nope", "nope"),
    refused("plan nowhere.yaml", "nowhere"),
    refused("plan study.yaml --home nope", "nope"),
    refused("plan study.yaml --home file", "file"),
    refused("plan study.yaml --no-probe --set executor.device=toaster", "toaster"),
    refused("plan study.yaml --no-probe --set executor.device=cuda:99", "cuda:99"),
    refused("plan study.yaml --no-probe --set executor.parallel_cells=1000000000", "1000000000"),
    refused("plan study.yaml --no-probe --set executor.cpus_per_cell=1e300", "1e300"),
    refused("plan study.yaml --no-probe --set seeds=[100000000000000000000000000]", "100000000000000000000000000"),
    refused("plan study.yaml --no-probe --set budgets=[1e300]", "1e300"),
    refused('plan study.yaml --no-probe --set budgets=["1e999999999"]', "1e999999999"),
    refused("plan study.yaml --no-probe --set name=../x", "../x"),
    refused('plan study.yaml --no-probe --set worlds="a\\0b"', "NUL"),
    refused("plan study.yaml --no-probe --set references=nope.yaml", "nope.yaml"),
    refused("plan study.yaml --no-probe --set references=study.yaml", "study.yaml"),
    refused("plan study.yaml --no-probe --set .=3", ".=3"),
    refused("plan study.yaml --no-probe --set <<=3", "<<"),
    refused("plan study.yaml --no-probe --set budgets.²=3", "²"),
    refused(f"plan study.yaml --no-probe --set budgets.{'9' * 5000}=3", "999"),
    refused(f"plan study.yaml --no-probe --set {'a.' * 3000}a=3", "a.a."),
    refused("plan study.yaml --no-probe --set recipe=3", "3"),
    refused("plan study.yaml --no-probe --set recipe.lr=-1", "-1"),
    refused("plan study.yaml --no-probe --set recipe.crop=[0,0]", "0"),
    refused("plan study.yaml --no-probe --set worlds=street:size=²x³", "²x³"),
    refused("plan study.yaml --no-probe --set worlds=street:train=99999999999", "99999999999"),
    refused('plan study.yaml --no-probe --set methods=["[/x]"]', "[/x]"),
    refused("plan study.yaml --patience nan", "--patience", code=2),
    refused("frontier nope", "nope"),
    refused("frontier made --home nope", "nope"),
    refused("frontier ../made", "../made"),
    refused("frontier made --prices nope", "nope"),
    refused("frontier made --prices pipe.yaml", "pipe.yaml"),
    refused("frontier made --target nan", "nan"),
    refused("frontier made --level 2", "2"),
    refused("frontier made --out file", "file"),
    refused("frontier made --out file/x", "file/x"),
    refused("frontier made --references nope", "nope"),
    refused("frontier made --references pipe", "pipe"),
    refused("claims show --home nope", "nope"),
    refused("claims show nope", "nope"),
    refused("claims show active_points --claim nope", "nope"),
    refused("claims tables [/x]", "[/x]"),
    refused("doctor --home nope", "nope"),
    refused("doctor --home file", "file"),
    refused("doctor --address garbage", "garbage", code=1),
    refused("doctor --address ::::", "::::", code=1),
    refused("doctor --address ray://127.0.0.1:1", "127.0.0.1:1", code=1),
    refused("doctor --tracking garbage", "garbage", code=1),
    refused("status --home nope", "nope"),
    refused("status --home file", "file"),
    refused("status [/x]", "[/x]"),
    refused("logs **", "**"),
    refused("logs  ", ""),
    refused("logs ../../x", "../../x"),
    refused("stop nope", "nope"),
    refused("submit nope.yaml --home /nowhere/runs", "nope.yaml"),
    refused("submit study.yaml --home runs", "runs"),
    Call(("submit", "study.yaml", *ANYWHERE, "--home", "/nowhere/runs", "--address", "garbage"), (3,), "garbage"),
    refused("submit study.yaml --home /nowhere/runs --working-dir nope", "nope"),
    refused("ledger nope", "nope"),
    refused("ledger file", "file"),
    refused("ledger runs --prices nope", "nope"),
    refused("store ls nope", "nope"),
    refused("store ls file", "file"),
    refused("store gc nope", "nope"),
    refused("store gc here", "here"),
    refused("store gc file", "file"),
    refused("store ls s3://bucket/x?endpoint_override=127.0.0.1:1&scheme=http", "a store must be a folder"),
    refused("world list nope", "nope"),
    refused("world list file", "file"),
    refused("world inspect nope", "nope"),
    refused("world inspect /etc/passwd", "/etc/passwd"),
    refused("world inspect toy --html x.png", ".html"),
    refused("world inspect toy --html file/x.html", "file"),
    refused("world inspect toy --sample 0", "--sample", code=2),
    refused("world inspect street:size=²x³", "²x³"),
    refused("world inspect street:train=99999999999", "99999999999"),
    refused("world inspect s3://bucket/x?endpoint_override=127.0.0.1:1&scheme=http", "127.0.0.1:1"),
    refused("world preview toy --out x.xyz", ".xyz"),
    refused("world preview toy --out file/x.png", "file"),
    refused("world preview toy --width 1000000000", "2048", code=2),
    refused("world preview toy --rows 0", "--rows", code=2),
    refused("world export nope new", "nope"),
    refused("world export toy file", "file"),
    refused("world export toy toy", "toy"),
    refused("world export toy new --labels nope", "nope"),
    refused("world export toy new --labels pipe", "pipe"),
    refused("world export toy new --to nope", "nope", code=2),
    refused("world import camvid nope new", "nope"),
    refused("world import study.yaml new", "study.yaml"),
    refused("world import latin1.yaml new", "latin1.yaml"),
    refused("world import deep.yaml new", "deep.yaml"),
    refused("world import pipe new", "pipe"),
    refused("world import street:train=1,val=1,synthetic=0 file", "file"),
    refused("world import street:train=1,val=1,synthetic=0 toy", "toy"),
    refused("ui --home nope", "nope"),
    refused("ui --uri garbage", "garbage"),
    refused("ui --port 99999", "--port", code=2),
    refused("run nope.yaml", "nope.yaml"),
    refused("run nowhere.yaml", "nowhere"),
    refused("run study.yaml --home file", "file"),
    refused("run study.yaml --home /proc/nope", "/proc/nope"),
    refused("run study.yaml --tracking garbage", "garbage"),
    refused("run study.yaml --set executor.kind=ray --address garbage", "garbage"),
    refused("run study.yaml --set executor.device=cuda:99", "cuda:99"),
    refused("demo --set x", "x"),
    refused("demo --set seeds=x", "'x'"),
    refused("demo --home file", "file"),
    refused("nonsense", "nonsense", code=2),
    refused("--nonsense", "--nonsense", code=2),
    Call((), (0, 2)),
    Call(("status", "a\udcff"), (3,), "udcff"),
    Call(("status", "a\0b"), (3,), "x00"),
)
