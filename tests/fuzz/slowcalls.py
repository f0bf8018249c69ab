"""Calls that take more than a moment: they ask a network, start Ray, or read much."""

_TOY = "--world toy --prices toy.yaml"
SLOW = {
    "plan study.yaml --no-probe --set worlds=street:train=99999999999",
    "world inspect street:train=99999999999",
    "world inspect s3://buc*55",
    "store ls s3://buc*55",
    "run study.yaml --set executor.kind=ray --address garbage",
    "run study.yaml --tracking garbage",
    "doctor --address garbage",
    "doctor --address ::::",
    "doctor --address ray://127.0.0.1:1",
    "frontier made --out file",
    "frontier made --out file/x",
    "demo --home file",
    *(
        f"train fine {_TOY} {more}"
        for more in ("--pretrained file", "--set recipe.lr=.inf", "--head nonsense", "--encoder nonsense")
    ),
}
