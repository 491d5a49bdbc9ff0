"""Errors of the experiments, and the exit statuses that they end with."""

OK, DIVERGED, REFUSED, INTERRUPTED = 0, 1, 2, 130


class SettingsError(ValueError):
    """Settings that do not fit the data or each other."""


class EvaluationError(ValueError):
    """Runs or results that do not fit each other or what is asked of them."""


class OtherResultsError(EvaluationError):
    """A result file that may hold a person's own work, and is not replaced unasked."""


class DivergedError(ArithmeticError):
    """A training whose losses or weights are not finite any more."""
