"""Profiles: how large an experiment is. One YAML file each, every key known, any value set on the command line.

A key that no field of `repro.schema` bears is an error. Nothing here imports Keras.
"""

import json
import types
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import get_args, get_origin

import yaml

from repro import schema


@dataclass(frozen=True)
class Profile:
    """All settings of an experiment.

    Attributes
    ----------
    name : str
        Of the YAML file, or "NAME+" once a value was changed on the command line.
    """

    name: str
    network: schema.Network
    training: schema.Plan
    polyp: schema.Polyp
    frame_quality: schema.FrameQuality
    carotid: schema.Carotid
    embolism: schema.Embolism
    colonoscopy_phantom: schema.ColonoscopyPhantom
    procedure_phantom: schema.ProcedurePhantom
    carotid_phantom: schema.CarotidPhantom
    ctpa_phantom: schema.CtpaPhantom

    def settings(self, application):
        """Return what defines a run of an application, as plain nested dicts for a `.json`."""
        parts = {part: asdict(getattr(self, part)) for part in ("network", "training", application)}
        for section, key in (("training", "max_epochs"), ("network", "input_size")):
            if own := parts[application].pop(key, 0):
                parts[section][key] = own
        # Younger than the runs that are kept; so those in float32 keep their names.
        if parts["training"]["precision"] == "float32":
            del parts["training"]["precision"]
        return json.loads(json.dumps(parts))


def load_profile(name, changes=(), folder=None):
    """Read a profile and apply changes.

    Parameters
    ----------
    name : str
        "smoke", "quick", "paper", or the path of a YAML file.
    changes : iterable of str
        "section.key=value", the value in YAML: "training.batch_size=20", "polyp.test_scales=[1.0, 1.5]".
    folder : pathlib.Path, optional
        Where the named profiles are; by default `experiments/profiles` of this checkout.

    Returns
    -------
    Profile

    Raises
    ------
    ValueError
        No such profile, an unknown or missing key, or a value of the wrong type.
    """
    folder = folder or Path(__file__).resolve().parents[1] / "experiments" / "profiles"
    path = Path(name) if str(name).endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(item.stem for item in folder.glob("*.yaml"))
        raise ValueError(f"No such profile. Received: {name!r}. Expected one of {known} or the path of a .yaml file.")
    profile = _fill(Profile, {"name": path.stem} | (yaml.safe_load(path.read_text()) or {}), str(path))
    for change in changes:
        profile = _change(profile, change)
    return profile


def _change(profile, change):
    key, equals, value = change.partition("=")
    section, dot, entry = key.partition(".")
    sections = {item.name: item.type for item in fields(Profile) if is_dataclass(item.type)}
    if not (equals and dot) or section not in sections:
        raise ValueError(
            f"A change reads section.key=value, with a section of {sorted(sections)}. Received: {change!r}."
        )
    old = getattr(profile, section)
    new = _fill(sections[section], asdict(old) | {entry: yaml.safe_load(value)}, change)
    name = profile.name if new == old or profile.name.endswith("+") else f"{profile.name}+"
    return replace(profile, name=name, **{section: new})


def _fill(kind, values, source):
    """Make a dataclass of a mapping, strictly."""
    if not isinstance(values, dict):
        raise ValueError(f"{source}: {kind.__name__} expects key: value pairs. Received: {values!r}.")
    known = {item.name: item for item in fields(kind)}
    needed = {name for name, item in known.items() if item.default is item.default_factory}
    unknown, missing = sorted(set(values) - set(known)), sorted(needed - set(values))
    if unknown or missing:
        raise ValueError(
            f"{source}: {kind.__name__} has unknown keys {unknown} and lacks {missing}. Known: {sorted(known)}."
        )
    return kind(**{name: _value(known[name].type, value, f"{source}: {name}") for name, value in values.items()})


def _value(kind, value, source):
    if is_dataclass(kind):
        return _fill(kind, value, source)
    if get_origin(kind) is tuple and isinstance(value, (list, tuple)):
        return tuple(_value(get_args(kind)[0], item, source) for item in value)
    if kind is float and type(value) is int:
        return float(value)
    if isinstance(kind, types.GenericAlias) or type(value) is not kind:
        raise ValueError(f"{source} expects {getattr(kind, '__name__', kind)}. Received: {value!r}.")
    return value
