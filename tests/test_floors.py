"""The house: a module imports from its own floor or below, and no imports make a circle."""

from pathlib import Path

import pytest

from graspbook.imports import LIBRARY, imported_names, module_file

# From the ground up; what is on one floor may import each other.
FLOORS = (
    (
        "errors",
        "extras",
        "imports",
        "pose",
        "storage",
        "parallel",
        "metrics",
        "comparison",
        "provenance",
    ),
    ("objects", "hands", "grasp_set", "grasp_hdf5", "grasp_text", "grasp_files"),
    ("simulation", "perception", "quality", "training", "weights_files"),
    ("graspnet", "highdof"),
    ("robots",),
    ("figures",),
    ("workbook",),
    ("api", "api_values", "commands", "cli", "__main__"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = [file for file in sorted(LIBRARY.rglob("*.py")) if ".ipynb_checkpoints" not in file.parts]
# Packages that may be imported in one room alone.
OWNED = {
    **dict.fromkeys(
        ("franky", "franky_sim", "ompl", "ruckig", "pyrealsense2", "pinocchio"), "robots"
    ),
    **dict.fromkeys(("roslibpy", "autobahn", "twisted"), "robots"),
    **dict.fromkeys(("rtde_control", "rtde_receive", "dashboard_client"), "robots"),
    **dict.fromkeys(("plotly", "polyscope"), "figures"),
}


def room(file):
    return file.relative_to(LIBRARY).parts[0].removesuffix(".py")


def edges():
    """{file: the files of the library that it imports}."""
    found = {}
    for file in FILES:
        names = imported_names(file.read_text(encoding="utf-8"))
        found[file] = {target for name in names if (target := module_file(name))} - {file}
    return found


def short(file):
    return str(file.relative_to(LIBRARY))


def test_every_room_has_a_floor():
    rooms = {room(file) for file in FILES} - {"__init__"}
    assert rooms == set(FLOOR_OF)


def test_nothing_imports_upwards():
    upwards = [
        f"{short(file)} imports {short(target)}"
        for file, targets in edges().items()
        for target in targets
        if file.parent != LIBRARY or file.name != "__init__.py"
        if FLOOR_OF.get(room(target), 0) > FLOOR_OF[room(file)]
    ]
    assert not upwards


def test_the_papers_do_not_import_each_other():
    across = [
        f"{short(file)} imports {short(target)}"
        for file, targets in edges().items()
        for target in targets
        if {room(file), room(target)} == {"graspnet", "highdof"}
    ]
    assert not across


def test_no_imports_make_a_circle():
    graph = edges()
    done, path = set(), []

    def visit(file):
        if file in path:
            pytest.fail(" -> ".join(map(short, [*path[path.index(file) :], file])))
        if file in done:
            return
        path.append(file)
        for target in sorted(graph[file]):
            visit(target)
        path.pop()
        done.add(file)

    for file in FILES:
        visit(file)


def test_packages_of_hardware_and_of_figures_stay_in_their_rooms():
    elsewhere = [
        f"{short(file)} imports {name}"
        for file in FILES
        for name in imported_names(file.read_text(encoding="utf-8"))
        if OWNED.get(name.partition(".")[0], room(file)) != room(file)
    ]
    assert not elsewhere


@pytest.mark.parametrize("file", FILES, ids=short)
def test_a_file_is_short(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300


def test_tests_mirror_the_library():
    tests = Path(__file__).parent
    orphans = [
        str(test.relative_to(tests))
        for test in tests.glob("*/**/test_*.py")
        if test.parent.name != ".ipynb_checkpoints"
        if not (
            LIBRARY / test.relative_to(tests).parent / test.name.removeprefix("test_")
        ).is_file()
    ]
    assert not orphans
