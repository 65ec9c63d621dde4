"""A hand of three fingers as people bring one, as URDF and as MJCF: made in the test."""

import numpy as np
import pytest
import trimesh

# Name of a finger: the place of its first joint, the axis about which it closes.
FINGERS = {
    "left": ((-0.035, 0, 0.015), (0, 1, 0)),
    "right": ((0.035, 0, 0.015), (0, -1, 0)),
    "thumb": ((0, -0.035, 0.015), (-1, 0, 0)),
}
SHAPE = {"left": "box", "right": "box", "thumb": "cylinder"}
TIP = np.array([[x, y, z] for x in (-6, 6) for y in (-8, 8) for z in (0, 30)]) * [1, 1, 1.0]
TIP[[1, 3, 5, 7], :2] *= 0.8  # millimetres, narrower at its end


# Two contact points, so that none have to be sampled, which takes a second.
LISTED = """palm: palm
contacts:
- {link: left_end, point: [0.006, 0, 0], normal: [2, 0, 0]}
- {link: palm, point: [0, 0, 0.015], normal: [0, 0, 1]}
"""


def words(numbers):
    return " ".join(f"{number:g}" for number in numbers)


def urdf():
    """The hand as URDF: no inertia, a mesh in millimetres, a mimic joint, a fixed wrist."""
    text = """<robot name="three fingers">
 <link name="wrist"/><link name="palm"><collision><origin xyz="0 0 0"/><geometry>
  <box size="0.1 0.09 0.03"/></geometry></collision></link>
 <joint name="mount" type="fixed"><parent link="wrist"/><child link="palm"/>
  <origin xyz="0 0 0.1" rpy="0 0 1.5"/></joint>"""
    for name, (place, axis) in FINGERS.items():
        solid = '<box size="0.012 0.016 0.04"/>'
        if SHAPE[name] == "cylinder":
            solid = '<cylinder radius="0.007" length="0.04"/>'
        text += f"""
 <link name="{name}_base"/>
 <joint name="{name}_turn" type="revolute"><parent link="palm"/><child link="{name}_base"/>
  <origin xyz="{words(place)}"/><axis xyz="0 0 1"/><limit lower="-0.3" upper="0.3" effort="1"/>
 </joint>
 <link name="{name}_lower"><collision><origin xyz="0 0 0.025"/><geometry>{solid}</geometry>
  </collision></link>
 <joint name="{name}_bend" type="revolute"><parent link="{name}_base"/><child link="{name}_lower"/>
  <axis xyz="{words(axis)}"/><limit lower="-0.3" upper="1.2" velocity="3"/></joint>
 <link name="{name}_upper"><visual><geometry><mesh filename="not_there.dae"/></geometry></visual>
  <collision><origin xyz="0 0 0.004" rpy="0 0 {1.5708 * (name == "thumb"):g}"/><geometry>
  <mesh filename="package://three/meshes/tip.stl" scale="0.001 0.001 0.001"/></geometry>
  </collision></link>
 <joint name="{name}_tip" type="revolute"><parent link="{name}_lower"/><child link="{name}_upper"/>
  <origin xyz="0 0 0.05"/><axis xyz="{words(axis)}"/><limit lower="-0.2" upper="0.7" effort="1"/>
  <mimic joint="{name}_bend" multiplier="0.5" offset="0.05"/></joint>
 <link name="{name}_end"><collision><geometry><sphere radius="0.006"/></geometry></collision></link>
 <joint name="{name}_fixed" type="fixed"><parent link="{name}_upper"/><child link="{name}_end"/>
  <origin xyz="0 0 0.034"/></joint>"""
    return text + "</robot>"


def mjcf():
    """The same hand as MJCF, with a visual mesh that is missing."""
    text = """<mujoco model="three fingers"><compiler angle="radian" meshdir="meshes"/>
 <asset><mesh name="tip" file="tip.stl" scale="0.001 0.001 0.001"/><mesh name="look"
  file="not_there.obj"/><texture name="wood" type="2d" file="not_there.png"/>
  <material name="wood" texture="wood"/></asset>
 <worldbody><body name="wrist" pos="1 2 3"><body name="palm" pos="0 0 0.1" euler="0 0 1.5">
 <geom type="box" size="0.05 0.045 0.015" material="wood"/>"""
    for name, (place, axis) in FINGERS.items():
        solid = 'type="box" size="0.006 0.008 0.02"'
        if SHAPE[name] == "cylinder":
            solid = 'type="cylinder" size="0.007 0.02"'
        text += f"""
 <body name="{name}_base" pos="{words(place)}"><joint name="{name}_turn" axis="0 0 1"
  range="-0.3 0.3" actuatorfrcrange="-1 1"/>
 <body name="{name}_lower"><joint name="{name}_bend" axis="{words(axis)}" range="-0.3 1.2"/>
  <geom pos="0 0 0.025" {solid}/>
 <body name="{name}_upper" pos="0 0 0.05"><joint name="{name}_tip" axis="{words(axis)}"
  range="-0.2 0.7" actuatorfrcrange="-1 1"/><geom type="mesh" mesh="look" contype="0"
  conaffinity="0"/><geom pos="0 0 0.004" euler="0 0 {1.5708 * (name == "thumb"):g}" type="mesh"
  mesh="tip"/>
 <body name="{name}_end" pos="0 0 0.034"><geom type="sphere" size="0.006"/></body>
 </body></body></body>"""
    text += "</body></body></worldbody><equality>"
    for name in FINGERS:
        text += f'<joint joint1="{name}_tip" joint2="{name}_bend" polycoef="0.05 0.5 0 0 0"/>'
    return text + "</equality></mujoco>"


@pytest.fixture
def own_folder(tmp_path):
    """make(kind, text, settings): a folder with the hand as "urdf" or "mjcf" and a hand.yaml."""

    def make(kind="urdf", text=None, settings=LISTED):
        folder = tmp_path / kind
        (folder / "meshes").mkdir(parents=True, exist_ok=True)
        trimesh.convex.convex_hull(TIP).export(folder / "meshes" / "tip.stl")
        file = folder / ("hand.urdf" if kind == "urdf" else "hand.xml")
        file.write_text(text or (urdf() if kind == "urdf" else mjcf()))
        if settings is not None:
            (folder / "hand.yaml").write_text(settings)
        return folder

    return make
