"""What all results of evaluations have in common."""

from dataclasses import asdict, dataclass
from typing import Any

from capsgan_keras.html import html_record


@dataclass(frozen=True)
class Record:
    """A result with fields that JSON can hold."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a table of the fields."""
        return html_record(type(self).__name__, self.to_dict())
