"""Valid files made invalid: a value of another type, a key less, a number too large, a text that names a path."""

import copy
import json

import yaml
from hypothesis import strategies as st

DEEP = None
for _ in range(100):
    DEEP = [DEEP]
ODD = (
    None, True, -1, 0, 1, 7.5, 10**30, -(10**30), 1e308, float("nan"), float("inf"), "", "x" * 2_000, "[/x]", "../../x",
    "/etc/passwd", "a\0b", "\u202e", "²", "1e999", "-3", [], {}, [[]], [1, "x"], {"a": {"b": 1}}, {"name": 3}, DEEP,
)  # fmt: skip


def paths(tree, at=()):
    """The place of every value."""
    yield at
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in entries:
        yield from paths(value, (*at, key))


@st.composite
def mutated(draw, valid):
    """A tree with one to three changes."""
    tree = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(list(paths(tree))))
        odd = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not at:
            if draw(st.integers(0, 9)) == 0:
                tree = odd
            continue
        node = tree
        for key in at[:-1]:
            node = node[key]
        what = draw(st.sampled_from(["change", "change", "drop", "add"]))
        if what == "change":
            node[at[-1]] = odd
        elif what == "drop":
            del node[at[-1]]
        elif isinstance(node, dict):
            node[draw(st.sampled_from(["odd", "", "[/x]", "name"]))] = odd
        else:
            node.append(odd)
    return tree


@st.composite
def mangled(draw, text):
    """Bytes of a text of which a part became something else."""
    data = text.encode()
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 40)))
    instead = draw(st.binary(max_size=12) | st.sampled_from([b"", b"[" * 3_000, b"\xff", b"{", b"\0"]))
    return data[:start] + instead + data[end:]


def files(valid, dump):
    """Contents of a file: mostly of the right form with wrong values, some of no form at all."""
    return mutated(valid).map(lambda tree: dump(tree).encode()) | mangled(dump(valid))


def as_yaml(tree):
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def as_json(tree):
    return json.dumps(tree)
