"""Pictures of robot trials: the set of objects, and each trial's table, object and hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import mujoco
import numpy as np
import plotly.graph_objects as go
import trimesh
from PIL import Image, ImageDraw

from graspbook import figures
from graspbook.figures.trial_tables import Record
from graspbook.figures.trials import scene_figure
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects.trial_objects import TRIAL_OBJECTS, make_trial_object
from graspbook.robots.trial_subjects import Subject
from graspbook.storage import atomic_path

WIDTH, HEIGHT = 640, 480
_GREY, _BLUE, _WOOD = [0.32, 0.35, 0.39, 1.0], [0.23, 0.43, 0.65, 1.0], [0.80, 0.72, 0.60, 1.0]


def object_set_figure(
    names: Sequence[str] = tuple(TRIAL_OBJECTS),
    columns: int | None = None,
    title: str | None = None,
) -> go.Figure:
    """The trial objects (Fig. 12 of the paper) in rows at the same scale, metres; hovering shows
    mass and source.

    names: of TRIAL_OBJECTS, else ParameterError.
    columns: objects per row.
    title: text above the figure; no text if None.
    """
    figure = figures.mesh_figure([make_trial_object(name) for name in names], title, columns)
    for trace, name in zip(figure.data, names, strict=True):
        trial = TRIAL_OBJECTS[name]
        trace.text = f"{name.replace('_', ' ')}: {1000 * trial.mass:.0f} g, {trial.source}"
    return figure


def picture_of_trial(
    record: Record, mesh: trimesh.Trimesh, out_png: Path
) -> Path | go.Figure | None:
    """Draw a trial's table, object and open hand at the chosen grasp, before the lift.

    Returns the path of a PNG of 640 x 480 by MuJoCo's renderer if EGL is available, else a plotly
    figure of the same. Returns None if the record has neither pose.

    record: of `robots.trial_records`.
    mesh: of the object, in its own frame, metres.
    out_png: of the picture.

    Raises OutputError if the file cannot be written.
    """
    base_T_object, base_T_hand = (_pose(record[key]) for key in ("base_T_object", "base_T_hand"))
    if base_T_object is None and base_T_hand is None:
        return None
    placed = None if base_T_object is None else mesh.copy().apply_transform(base_T_object)
    context = _gl_context()
    if context is None:
        poses = np.empty((0, 4, 4)) if base_T_hand is None else base_T_hand[None]
        shown = np.empty((0, 3)) if placed is None else placed
        title = "{object}, pose {pose}, {method}: {outcome}".format(**record)
        return scene_figure(shown, poses, ["chosen"] * len(poses), title)
    try:
        pixels = _render(_model(placed, base_T_hand))
    finally:
        context.free()
    with atomic_path(out_png) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
    return out_png


def _pose(value):
    return None if value is None else np.asarray(value, float)


def _model(placed, base_T_hand):
    """MuJoCo model of table, object (a trimesh in the base frame) and hand, with a camera from the
    side and above.
    """
    spec = mujoco.MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = WIDTH, HEIGHT
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.35] * 3, [0.35] * 3
    spec.visual.rgba.haze = [1, 1, 1, 1]
    sky, flat = mujoco.mjtTexture.mjTEXTURE_SKYBOX, mujoco.mjtBuiltin.mjBUILTIN_FLAT
    colours = {"rgb1": [0.96, 0.97, 0.98], "rgb2": [0.96, 0.97, 0.98]}
    spec.add_texture(name="sky", type=sky, builtin=flat, width=64, height=384, **colours)
    world, far = spec.worldbody, mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    world.add_light(pos=[0.2, -0.6, 1.6], dir=[0.2, 0.4, -1.0], type=far, diffuse=[0.6] * 3)
    where = {"size": [0.45, 0.6, 0.02], "pos": [0.5, 0, -0.021]}
    world.add_geom(name="table", type=mujoco.mjtGeom.mjGEOM_BOX, rgba=_WOOD, **where)
    centres = []
    if placed is not None:
        _add(spec, "object", placed.vertices, placed.faces, _BLUE)
        centres.append(placed.bounds.mean(axis=0))
    if base_T_hand is not None:
        for i, vertices in enumerate(FRANKA.collision_parts()):
            corners = vertices @ base_T_hand[:3, :3].T + base_T_hand[:3, 3]
            _add(spec, f"hand_{i}", corners, None, _GREY)
        centres.append(base_T_hand[:3, 3])
    aim = np.mean(centres, axis=0)
    eye = aim + [-0.25, -0.62, 0.30]
    forward = (aim - eye) / np.linalg.norm(aim - eye)
    right = np.cross(forward, [0, 0, 1]) / np.linalg.norm(np.cross(forward, [0, 0, 1]))
    world.add_camera(name="view", pos=eye, xyaxes=[*right, *np.cross(right, forward)], fovy=28)
    return spec.compile()


def _add(spec, name, vertices, faces, colour):
    mesh = spec.add_mesh(name=name, uservert=np.asarray(vertices, float).ravel())
    # This also works for open meshes: only the surface is drawn.
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
    if faces is not None:
        mesh.userface = np.asarray(faces, np.int32).ravel()
    look = {"type": mujoco.mjtGeom.mjGEOM_MESH, "meshname": name, "rgba": colour}
    spec.worldbody.add_geom(name=name, contype=0, conaffinity=0, **look)


def _gl_context():
    """A current OpenGL context that needs no screen; None if there is none."""
    try:
        # Own context: mujoco.Renderer's choice was fixed when mujoco was first imported.
        from mujoco.egl import GLContext

        context = GLContext(WIDTH, HEIGHT)
        context.make_current()
    except Exception:  # library, binding, driver and device may each be missing
        return None
    return context


def _render(model):
    """Pixels (HEIGHT, WIDTH, 3) uint8 of a model from its camera, by the current OpenGL context."""
    data, scene = mujoco.MjData(model), mujoco.MjvScene(model, maxgeom=model.ngeom + 10)
    camera, viewport = mujoco.MjvCamera(), mujoco.MjrRect(0, 0, WIDTH, HEIGHT)
    camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    drawing = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, drawing)
    mujoco.mj_forward(model, data)
    everything = mujoco.mjtCatBit.mjCAT_ALL.value
    mujoco.mjv_updateScene(
        model, data, mujoco.MjvOption(), mujoco.MjvPerturb(), camera, everything, scene
    )
    mujoco.mjr_render(viewport, scene, drawing)
    mujoco.mjr_readPixels(pixels, None, viewport, drawing)
    drawing.free()
    return pixels[::-1]


def contact_sheet(
    records: Iterable[Record], folder: Path, *, most: int = 24, columns: int = 4, width: int = 240
) -> Image.Image | None:
    """One image of the rendered pictures of trials with their outcomes, failures first.

    records: of `robots.trial_records`.
    folder: where the pictures are, or are written.
    most: largest number of pictures.
    columns: pictures per row.
    width: of each picture, pixels.

    Returns None if there are none.
    """
    ordered = sorted(records, key=lambda record: record["outcome"] == "success")
    found = [
        (record, path) for record in ordered if (path := picture_path(record, folder)).is_file()
    ][:most]
    if not found:
        return None
    height, line = width * HEIGHT // WIDTH, 26
    sheet = Image.new(
        "RGB", (columns * width, -(-len(found) // columns) * (height + line)), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for i, (record, path) in enumerate(found):
        x, y = i % columns * width, i // columns * (height + line)
        sheet.paste(Image.open(path).convert("RGB").resize((width, height)), (x, y))
        text = f"{record['object']} {record['pose']}, {record['method']}:\n{record['outcome']}"
        draw.text((x + 4, y + height + 1), text, "black", font_size=10)
    return sheet


def picture_path(record: Record, folder: Path) -> Path:
    """Path of a trial's picture.

    record: of one trial, as in `robots.trial_records`.
    folder: where the pictures are, or are written.
    """
    return folder / f"{record['object']}_{record['pose']}_{record['method']}_{record['seed']}.png"


def write_picture(record: Record, mesh: trimesh.Trimesh, path: Path, text: str) -> Path | None:
    """Write a picture, or an interactive page if nothing can be rendered, and return its path; None
    if there is nothing to show.

    record: of `robots.trial_records`, as for `picture_of_trial`.
    mesh: of its object, in the object frame, metres.
    path: of the picture file to write.
    text: under the title of a page.

    Raises OutputError.
    """
    page = path.with_suffix(".html")
    for old in (path, page):
        old.unlink(missing_ok=True)
    picture = picture_of_trial(record, mesh, path)
    if picture is None or picture == path:
        return picture
    figures.write_view(page, picture, path.stem, text)
    return page


def draw_trial(record: Record, mesh: trimesh.Trimesh, folder: Path) -> Path | None:
    """Write the picture of a trial again, as `write_picture` does.

    record: of `robots.trial_records`.
    mesh: of its object, in the object frame, metres.
    folder: where the pictures are, or are written.

    Raises OutputError.
    """
    text = record["reason"] or record["outcome"]
    return write_picture(record, mesh, picture_path(record, folder), text)


def show_pose(subject: Subject, index: int, base_T_object: np.ndarray, folder: Path) -> str:
    """Draw how to place an object, and return the picture's path with a remark.

    subject: the object with its mass and category.
    index: number of its stable pose, from 0 on.
    base_T_object: (4, 4) pose of the object in the arm's base frame.
    folder: where the pictures are, or are written.

    Raises OutputError.
    """
    path = Path(folder) / f"place_{subject.obj.name}_{index}.png"
    record = {
        "object": subject.obj.name,
        "pose": index,
        "method": "before the trial",
        "outcome": "to be placed",
        "base_T_object": base_T_object,
        "base_T_hand": None,
    }
    shown = write_picture(record, subject.obj.mesh, path, "Base frame of the arm, metres.")
    where = "the arm is beyond its left edge" if shown == path else "x points away from the arm"
    return f"{shown} ({where})"
