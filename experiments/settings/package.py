"""Settings that the package has, read without importing it: that would import Keras."""

import dataclasses

from experiments.settings.fields import anything, setting


def fields_of(settings):
    """Return the fields of one of the package's dataclasses of settings, by name."""
    return {field.name: field for field in dataclasses.fields(settings)}


def from_package(field, check=anything, parse=str, **options):
    """Return the field of a setting that the package has: default, help and choices are there.

    Args:
        field: The package's field.
        check: As in `setting`; by default the package checks.
        parse: As in `setting`.
        **options: Further arguments of `setting`.
    """
    choices, help = field.metadata["choices"], field.metadata["help"]
    return setting(field.default, help, check, parse, choices=choices, **options)
