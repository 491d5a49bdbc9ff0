"""What stops an experiment before or in training."""


class SettingsError(ValueError):
    """Settings that do not fit the data or each other."""
