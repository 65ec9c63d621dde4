"""Texts are plain English, as far as that can be measured: short sentences, none of some words.

The rules of style are in CONTRIBUTING.md.
"""

import ast
import json
import re
from pathlib import Path

import pytest

from graspbook.imports import LIBRARY

ROOT = Path(__file__).parents[1]
MOST_WORDS = 25
MOST_IN_MESSAGES = 30  # values take some of them
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((LIBRARY / "workbook" / "static").glob("*.md")),
    *sorted((ROOT / "notebooks").rglob("[!.]*.ipynb")),
]
SOURCES = [file for file in sorted(LIBRARY.rglob("*.py")) if ".ipynb_checkpoints" not in file.parts]
COUNTED = "grasps|samples|views|points|steps|batches|clouds|candidates|trials|poses|once|twice"
PER = "view|grasp|object|step|batch|cloud|minute|second|finger|core|trial|hand|family|side"
NEVER = {  # words, and what to write instead
    r"anew|abreast|lest|thence|whence|whereof|amid|hitherto": "use an everyday word",
    r"mended|mends|mending": "corrected, repaired",
    r"told|tells of": "said, shown, known",
    rf"({COUNTED}) an? ({PER})|N a finger": 'use "per"',
    r"^Of (?!these, )(an?|the|all|these|those)": "start with the subject",
    r"leaves? zero out|by the median|of these networks": "say it as others do",
}
FENCE = re.compile(r"^ *```.*?^ *```|\$\$.*?\$\$", re.M | re.S)


def blocks(text):
    """Paragraphs, list items and table cells of a markdown text, without code and equations."""
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|#>]|\d+\.) ?)", FENCE.sub("", text)):
        joined = " ".join(paragraph.split())
        yield from re.split(r"[|;]", joined) if joined.startswith("|") else [joined]


def sentences(text, parts):
    """The sentences of a markdown text, or their parts between colons and semicolons."""
    ends = r"(?<=[.!?])[)*\"]* (?=[*(\[\"]*[A-Z]|\*\w)" + r"|(?<=[:;]) " * parts
    for block in blocks(text):
        plain = re.sub(r"`[^`]*`|\$[^$]*\$", "X", block)  # code and formulas count as one word
        plain = re.sub(r"\]\([^)]*\)", "]", plain)
        plain = re.sub(r"^\W*(?:\d+\. )?", "", plain)
        yield from re.split(ends, plain)


def faults(text, most=MOST_WORDS, *, parts=False):
    """What is wrong with each sentence of a text."""
    for sentence in sentences(text, parts):
        count = sum(bool(re.search(r"\w", word)) for word in sentence.split())
        if count > most:
            yield f"{count} words, at most {most}: {sentence}"
        unquoted = re.sub(r'"[^"]*"', "", sentence)
        for words, better in NEVER.items():
            if found := re.search(rf"(?<!\w)(?:{words})(?!\w)", unquoted):
                yield f"{found[0]!r} ({better}): {sentence}"


def markdown(file):
    """The text of a page, or that of a notebook's markdown cells."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def messages(file):
    """The messages of errors that a module raises, with X for values."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for text in node.exc.args:
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield text.value
                elif isinstance(text, ast.JoinedStr):
                    parts = (v.value if isinstance(v, ast.Constant) else "X" for v in text.values)
                    yield "".join(parts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_plain_english(page):
    assert not list(faults(markdown(page), parts=page.name == "CHANGELOG.md"))


def test_error_messages_are_plain_english():
    found = [
        f"{page.relative_to(LIBRARY)}: {fault}"
        for page in SOURCES
        for text in messages(page)
        for fault in faults(text, MOST_IN_MESSAGES, parts=True)
    ]
    assert not found


def test_faults_are_found():
    long = "word " * 26
    assert [fault[:8] for fault in faults(f"Short.\n\n{long}")] == ["26 words"]
    assert len(list(faults("Draw it anew. Of the cloud the hull is taken."))) == 2
    assert len(list(faults("- It takes 200 grasps a view."))) == 1
    assert not list(faults('Of these, 3 hold. Write "again", not "anew". See [it](a_b.md).'))
