"""Objects of known types, from what JSON holds of them."""

import dataclasses
import types
import typing

from experiments.errors import EvaluationError


def restore(kind, value, where):
    """Return an object of a type, from what JSON holds of it.

    Args:
        kind: A dataclass; `str`, `int`, `float`, `bool` or None; a `tuple` or `dict` of such types,
            or of anything; a union of some. Other types take the value as it is.
        value: What JSON gave.
        where: What it is, for messages.

    Raises:
        EvaluationError: Where the value is of another type, a number is not finite, or a
            dataclass lacks a field or refuses a value. Names that it does not have are left out.
    """
    origin = typing.get_origin(kind) or kind
    parts = typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, where)
    if origin in (typing.Union, types.UnionType):
        return _one_of(parts, value, where)
    if origin is tuple and isinstance(value, list):
        kinds = [parts[0] if parts else typing.Any] * len(value)
        if parts and parts[-1] is not Ellipsis:
            kinds = parts
        if len(kinds) != len(value):
            raise EvaluationError(f"{where}: must hold {len(kinds)} values. Received: {len(value)}")
        pairs = enumerate(zip(kinds, value, strict=True))
        return tuple(restore(part, each, f"{where}[{i}]") for i, (part, each) in pairs)
    if origin is dict and isinstance(value, dict):
        part = parts[1] if parts else typing.Any
        return {key: restore(part, each, f"{where}.{key}") for key, each in value.items()}
    if origin not in _PLAIN:
        if origin in (tuple, dict):
            _refuse(origin.__name__, value, where)
        return value
    if type(value) not in _PLAIN[origin] or not _is_countable(value):
        _refuse(origin.__name__, value, where)
    return value


def _is_countable(value):
    """Return whether a number is finite and no larger than arrays hold; True for what is none."""
    return not isinstance(value, int | float) or (value == value and abs(value) < LARGEST)


LARGEST = 2**63
"""From here on no array of integers holds a number, and no result of ours is as large."""
_PLAIN = {
    str: (str,),
    int: (int,),
    float: (int, float),
    bool: (bool,),
    types.NoneType: (types.NoneType,),
}


def _dataclass(kind, value, where):
    if not isinstance(value, dict):
        _refuse("dict", value, where)
    hints = typing.get_type_hints(kind)
    given = {}
    for field in dataclasses.fields(kind):
        if field.name in value:
            name = f"{where}.{field.name}"
            given[field.name] = restore(hints[field.name], value[field.name], name)
        elif field.default is dataclasses.MISSING:
            raise EvaluationError(f"{where}: lacks {field.name!r}")
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{where}: {error}") from error


def _one_of(kinds, value, where):
    for kind in kinds:
        try:
            return restore(kind, value, where)
        except EvaluationError:
            continue
    return _refuse(
        " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds), value, where
    )


def _refuse(expected, value, where):
    shown = repr(value)
    if len(shown) >= 60:
        length = f" of length {len(value)}" if hasattr(value, "__len__") else ""
        shown = f"a value of type {type(value).__name__}{length}"
    raise EvaluationError(f"{where}: must be of type {expected}. Received: {shown}")
