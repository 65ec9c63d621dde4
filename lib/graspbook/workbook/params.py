"""Profiles: parameters of the notebooks, read and validated.

The name of a section is the notebook's path with "_" for "/" (`graspnet/1_objects` is
`graspnet_1_objects`). The section `shared` applies to every notebook. To add a parameter, add a
field to a model in `params_<paper>`, and a line to the notebook's cell tagged `parameters`. To add
a notebook, add a model there and a row to its NOTEBOOKS.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from graspbook.errors import ParameterError
from graspbook.storage import refuse_deep
from graspbook.workbook import params_graspnet, params_highdof, params_types
from graspbook.workbook.params_types import Section, Shared

# The model of each notebook, by its path.
NOTEBOOKS = params_types.NOTEBOOKS | params_graspnet.NOTEBOOKS | params_highdof.NOTEBOOKS


def section_name(notebook: str) -> str:
    """The section of a notebook, e.g. "graspnet_1_objects".

    notebook: its path, e.g. "graspnet/1_objects".
    """
    return notebook.replace("/", "_")


def project_root() -> Path:
    """The workbook's folder, at or above the working directory; ParameterError outside of it."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise ParameterError(
        f"{here} is not inside the workbook: no folder at or above it holds params/ and notebooks/"
    )


def profile_name(profile: Path | str) -> str:
    """The name of a profile: that of its folder below `outputs/`.

    profile: its name, or the path of its file.
    """
    return Path(profile).stem if str(profile).endswith(".yaml") else str(profile)


def profile_path(profile: Path | str) -> Path:
    """The file of a profile.

    profile: its name in `params/` of the workbook, or the path of a file that ends in .yaml.

    Raises ParameterError if it does not exist.
    """
    if str(profile).endswith(".yaml"):
        path = Path(profile)
        if not path.is_file():
            raise ParameterError(f"{path}: no such profile file")
        return path
    folder = project_root() / "params"
    path = folder / f"{profile}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in folder.glob("*.yaml")))
        raise ParameterError(
            f"unknown profile {profile!r}; {folder} has {known} (or give the path of a .yaml file)"
        )
    return path


def load_profile(profile: Path | str, overrides: Iterable[str] = ()) -> dict[str, Section]:
    """Every section of a profile, validated: {section name: model}.

    profile: a name in `params/` or the path of a .yaml file.
    overrides: "section.key=value" strings, the value in YAML.

    Raises ParameterError for an unknown profile, section or key, a wrong type, and a value out of
    bounds; the message names it, the allowed values and the place.
    """
    path = profile_path(profile)
    models = {"shared": Shared} | {
        section_name(notebook): model for notebook, model in NOTEBOOKS.items()
    }
    values = _read_profile(path, models)
    places = {}
    for text in overrides:
        section, key, value = _split_override(text, models)
        values[section][key] = value
        places[section, key] = f"--set {text}"
    return {
        name: _validate(name, model, values[name], path, places) for name, model in models.items()
    }


def notebook_parameters(
    sections: Mapping[str, Section], notebook: str, profile: str, output_root: Path | str
) -> dict[str, Any]:
    """All parameters of a notebook's `parameters` cell, as plain values.

    sections: of the profile; the notebook's own and `shared` are used.
    notebook: its path, e.g. "graspnet/1_objects".
    profile: name of the profile, such as smoke.
    output_root: the folder of the run.
    """
    own, shared = sections[section_name(notebook)], sections["shared"]
    return (
        {"profile": profile, "output_root": str(output_root)}
        | shared.model_dump()
        | own.model_dump()
    )


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number (in YAML 1.1 it is a string)."""


_Loader.yaml_implicit_resolvers = {
    key: list(items) for key, items in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))


def _read_profile(path, models):
    try:
        text = path.read_text()
        refuse_deep(text)
        content = yaml.load(text, _Loader) or {}
    except (yaml.YAMLError, ValueError) as error:
        raise ParameterError(
            f"{path}: not readable as YAML: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(content, dict):
        raise ParameterError(
            f"{path}: expected sections of parameters, found {type(content).__name__}"
        )
    for name, values in content.items():
        _known(name, models, "section", path)
        if not isinstance(values, dict | None):
            raise ParameterError(
                f"{path}: section {name} holds {values!r}, expected parameters and their values"
            )
    return {name: dict(content.get(name) or {}) for name in models}


def _split_override(text, models):
    target, equals, value = text.partition("=")
    section, dot, key = target.partition(".")
    if not (equals and dot and key):
        raise ParameterError(f"--set {text}: expected section.key=value, e.g. shared.seed=1")
    _known(section, models, "section", f"--set {text}")
    try:
        return section, key, yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise ParameterError(f"--set {text}: the value is not readable as YAML") from error


def _validate(name, model, values, path, places):
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # parameters that are invalid together
            where = (
                ", ".join(place for (section, _), place in places.items() if section == name)
                or path
            )
            raise ParameterError(f"{where}: {name}: {message}") from error
        key = first["loc"][0]
        where = places.get((name, key), path)
        _known(key, model.model_fields, f"parameter in section {name}:", where)
        raise ParameterError(f"{where}: {name}.{key} = {values[key]!r}: {message}") from error


def _known(name, allowed, kind, where):
    if name not in allowed:
        close = difflib.get_close_matches(str(name), allowed, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ParameterError(f"{where}: unknown {kind} {name}{hint}; allowed: {', '.join(allowed)}")
