"""Grasp Workbook: a reproducible workbook of two papers on learning to grasp.

The few public names are loaded when they are first used, so `import graspbook` is instant. Type
checkers read the same names in `__init__.pyi`.
"""

from importlib import import_module as _import_module

__version__ = "0.1.0"

# Public name: the module that has it. `figures` is itself a module.
_PUBLIC = {
    "GraspSet": "graspbook.api_values",
    "HandGrasp": "graspbook.api_values",
    "GraspbookError": "graspbook.errors",
    "figures": "graspbook.figures",
    "hand_grasp": "graspbook.api",
    "load_capture": "graspbook.perception.capture",
    "load_hand": "graspbook.hands.library",
    "load_networks": "graspbook.api",
    "load_object": "graspbook.objects.sets",
    "predict": "graspbook.api",
    "read_grasps": "graspbook.api",
    "shake_test": "graspbook.api",
    "write_grasps": "graspbook.api",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'graspbook' has no attribute {name!r}")
    module = _import_module(_PUBLIC[name])
    value = module if name == "figures" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_PUBLIC})
