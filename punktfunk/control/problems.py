"""What to tell people of a group of exceptions: nurseries within nurseries wrap the one that matters."""

from typing import TypeVar

Problem = TypeVar("Problem", bound=BaseException)


def first_leaf(group: BaseExceptionGroup[Problem]) -> Problem:
    """Return the first exception of a group that is no group itself, however deep it lies."""
    inner: Problem | BaseExceptionGroup[Problem] = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner


def worded(problem: BaseException) -> str:
    """Return message and hint in one line."""
    return f"{str(problem) or type(problem).__name__} {getattr(problem, 'hint', '')}".strip()
