"""What may be read by whoever sees the Temporal server: titles and dates of a definition, never a word of a person."""

from typing import ClassVar


class Clear(str):
    """A text that is not encrypted, so that the Temporal UI shows it to managers.

    Told by its attribute and not by its class: inside the workflow sandbox this module may be another one.
    """

    __slots__ = ()
    stays_clear: ClassVar[bool] = True
