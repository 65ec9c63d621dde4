"""README and docs: short, their links resolve, their commands parse, their examples run."""

import functools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import trimesh

import graspbook
from graspbook.cli import COMMANDS, _parser
from graspbook.imports import module_file
from graspbook.perception.camera import default_camera, random_view, render_depth

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


def blocks(pages, language):
    """(page and number, text) of the fenced blocks of a language."""
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in pages
        for number, (kind, text) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")))
        if kind == language
    ]


def command_lines():
    """Each `graspbook ...` line of a block, without its comment."""
    found = []
    for page in TEXTS:
        for _, text in FENCE.findall(page.read_text(encoding="utf-8")):
            for line in text.splitlines():
                words = shlex.split(line, comments=True)
                if words and Path(words[0]).name == "graspbook":
                    found.append(pytest.param(words[1:], id=f"{page.name}: {' '.join(words[1:4])}"))
    return found


def names_in_code(text):
    """What stands between backticks outside of blocks."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def anchors(page):
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def test_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) < 8000


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_links_resolve(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("words", command_lines())
def test_commands_exist_and_their_options_parse(words):
    options = _parser(words).parse_args(words)
    assert callable(options.run)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_commands_modules_and_files_in_the_text_exist(page):
    for name in names_in_code(page.read_text(encoding="utf-8")):
        if match := re.match(r"graspbook ([a-z][\w-]*)", name):
            assert match[1] in COMMANDS, name
        if re.fullmatch(r"graspbook(\.\w+)+", name):
            parts = name.split(".")
            modules = [".".join(parts[:k]) for k in range(len(parts), 1, -1)]
            public = parts[1] in graspbook.__all__
            assert public or any(map(module_file, modules)), name
        if re.fullmatch(r"(lib|docs|notebooks|tests|params|outputs/published)/[\w./-]*", name):
            assert (ROOT / name).exists(), name


def test_the_docs_name_every_command():
    told = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert not [name for name in COMMANDS if f"`graspbook {name}`" not in told]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that examples read: a mug and a view of it on a table."""
    monkeypatch.chdir(tmp_path)
    mug = trimesh.creation.cylinder(0.03, 0.1)
    mug.export("mug.stl")
    camera = default_camera()
    view = random_view(mug, np.random.default_rng(0))
    depth = render_depth(mug, camera, view)
    points = trimesh.sample.sample_surface(mug, 500, seed=0)[0] @ view[:3, :3].T + view[:3, 3]
    np.savez("capture.npz", depth=depth, K=camera.K, object_points=points)
    return tmp_path


@pytest.mark.parametrize("code", blocks(PAGES, "python"))
def test_examples_run(code, folder, monkeypatch):
    fewer = {"predict": {"samples": 10}, "hand_grasp": {"rotations": 1}}
    for name, options in fewer.items():
        whole = getattr(graspbook, name)

        def small(*given, whole=whole, options=options, **others):
            return whole(*given, **(others | options))

        monkeypatch.setattr(graspbook, name, functools.wraps(whole)(small))
    names = {}
    exec(compile(code, "example", "exec"), names)
    sets = [value for value in names.values() if isinstance(value, graspbook.GraspSet)]
    assert all("text/plain" in value._repr_mimebundle_() for value in sets)


def test_readme_shows_python_in_eight_lines():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = [text for kind, text in FENCE.findall(readme) if kind == "python"]
    assert len([line for line in code.splitlines() if line]) <= 8
