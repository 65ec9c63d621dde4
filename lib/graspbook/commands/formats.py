"""List the kinds of files that are read and written."""

from argparse import ArgumentParser, Namespace

EXAMPLES = ("graspbook formats",)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand: none.

    parser: the parser of this subcommand, which gets its arguments.
    """


def run(options: Namespace) -> None:
    """Print the kinds of files, from the tables of the readers and writers.

    options: the parsed arguments of `arguments`.
    """
    del options
    rows = format_rows()
    wide = [max(len(row[i]) for row in rows) for i in (0, 1)]
    for kind, how, suffixes in rows:
        print(f"{kind:<{wide[0]}}  {how:<{wide[1]}}  {suffixes}")
    print("Next: graspbook grasp FILE, or graspbook --help for all commands.")


def format_rows() -> list[tuple[str, str, str]]:
    """Rows of what a file holds, whether it is read or written, and its suffixes."""
    from graspbook.grasp_files import FORMATS
    from graspbook.hands.grippers import GRIPPERS
    from graspbook.hands.library import HANDS
    from graspbook.hands.own_settings import SUFFIXES as OWN_HANDS
    from graspbook.objects.mesh import LARGEST, SMALLEST
    from graspbook.objects.mesh_files import SUFFIXES as MESHES
    from graspbook.perception.camera_info import SUFFIXES as CAMERAS
    from graspbook.perception.capture import SUFFIXES as CAPTURES
    from graspbook.perception.hand_eye_formats import FORMATS as MOUNTS
    from graspbook.perception.hand_eye_formats import WRITERS
    from graspbook.perception.recordings import SUFFIXES as RECORDINGS

    grasps = [
        (f"grasps, {kind.title}", "read, written", " ".join(kind.suffixes)) for kind in FORMATS
    ]
    mounts = [suffix for kind in MOUNTS for suffix in kind.suffixes]
    return [
        ("meshes", "read", " ".join(MESHES)),
        ("", "", f"  longest side {SMALLEST} to {LARGEST:g} m, else use --scale"),
        (
            "point clouds and depth captures",
            "read",
            " ".join(suffix for suffix in CAPTURES if suffix not in RECORDINGS),
        ),
        ("camera matrices", "read", " ".join(CAMERAS)),
        ("", "", "  .mat up to version 7; save one of MATLAB 7.3 again with -v7"),
        ("recordings of ROS 1, ROS 2, RealSense", "read", " ".join(RECORDINGS)),
        *grasps,
        ("grasp plans of many-jointed hands", "read, written", ".h5"),
        ("hand-eye transforms", "read", " ".join(mounts)),
        *(("", "", f"  {writer}") for writer in WRITERS),
        ("weights", "read, written", ".safetensors"),
        ("results", "written", ".json .html"),
        ("grippers in grasp files", "", ", ".join(GRIPPERS)),
        ("many-jointed hands", "", ", ".join(HANDS)),
        ("hands of your own, in a folder", "read", " ".join((*OWN_HANDS, "hand.yaml"))),
    ]
