"""What the documents and help texts tell users to write: fenced blocks, commands, and settings in the text."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from segfrontier.commands.verbs import command

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("methods/*/*/README.md"), ROOT / "benchmarks/README.md"],
    key=lambda path: (path.name != "README.md" or path.parent != ROOT, path),
)
_BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*) -->\n+)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its kind (`bash`), its mark (`<!-- mark -->` above it), its text."""

    where: str
    kind: str
    mark: str
    text: str

    @property
    def for_a_shell(self):
        return self.kind == "bash" or (not self.kind and self.text.startswith("segfrontier "))


def blocks():
    """All fenced blocks of all documents, in the order of reading."""
    return [
        Block(str(path.relative_to(ROOT)), found["kind"], found["mark"] or "", found["text"])
        for path in DOCUMENTS
        for found in _BLOCK.finditer(path.read_text(encoding="utf-8"))
    ]


def spans():
    """All code in the running text of all documents, line breaks inside of it taken out."""
    texts = [_BLOCK.sub("", path.read_text(encoding="utf-8")) for path in DOCUMENTS]
    return list(dict.fromkeys(" ".join(span.split()) for text in texts for span in _SPAN.findall(text)))


def shell_lines():
    """Every line of every block that is for a shell, without its comment."""
    kept = (line for block in blocks() if block.for_a_shell for line in block.text.splitlines())
    return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in kept) if line]


def commands_in(text):
    """The `segfrontier ...` commands of a text: one ends at the end of its line, and at `;`, `|` and `&&`."""
    return [words for line in text.splitlines() for words in _commands_of(re.sub(r"\s{2,}\(.*\)$", "", line))]


def _commands_of(line):
    """They follow on a sign of the shell, on `--` (`ray job submit -- ...`) and on a colon (`Example: ...`)."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=";|&")
    reader.whitespace_split, reader.commenters = True, ""
    parts = [[]]
    for word in reader:
        if word in (";", "|", "&&", "--") or word.endswith(":"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [tuple(part[1:]) for part in parts if part[:1] == ["segfrontier"]]


def documented():
    """The commands of the documents' blocks."""
    return list(dict.fromkeys(words for line in shell_lines() for words in commands_in(line)))


def mentioned():
    """Commands in the running text, which may leave out what they need."""
    return [words for span in spans() if span.startswith("segfrontier ") for words in commands_in(span)]


def helped():
    """The commands in the examples of help texts."""
    return list(dict.fromkeys(words for each in _all(command()) for words in commands_in(each.epilog or "")))


def _all(group):
    yield group
    for each in getattr(group, "commands", {}).values():
        yield from _all(each)


def found(words):
    """The command that words begin with, and the words after it; an unknown verb is an AssertionError."""
    at, rest = command(), list(words)
    while hasattr(at, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        assert name in at.commands, f"`segfrontier {' '.join(words)}`: there is no {name!r}"
        at = at.commands[name]
    return at, rest


def parsed(words):
    """Take a whole command apart as the command line does, and run nothing; raises where it would be refused."""
    at, rest = found(words)
    at.make_context("segfrontier", rest)


def options(words):
    """The options of a command, and those that its words name."""
    at, rest = found(words)
    return {name for each in at.params for name in each.opts}, {word for word in rest if word.startswith("-")}
