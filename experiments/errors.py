"""Errors of the experiments."""


class SettingsError(ValueError):
    """Settings that do not fit the data or each other."""


class EvaluationError(ValueError):
    """Runs or results that do not fit each other or what is asked of them."""
