"""What went wrong on which line of which page."""


class LoomError(Exception):
    """A fault that stops the build, told in one readable message."""


class PageError(LoomError):
    """A fault in a page: ``docs/x.md:41: NameError: name 'foo' is not defined``.

    Args:
        path: the page, relative to the project.
        line: the line in that page, from 1.
        message: what was expected and what came.
        detail: more lines (the end of a traceback, the block), shown under the message.
    """

    def __init__(self, path: str, line: int, message: str, detail: str = "") -> None:
        super().__init__(path, line, message, detail)
        self.path, self.line, self.message, self.detail = path, line, message, detail

    def __str__(self) -> str:
        head = f"{self.path}:{self.line}: {self.message}"
        return f"{head}\n{self.detail}" if self.detail else head


class PageErrors(LoomError):
    """Several pages failed: every one is named."""

    def __init__(self, errors: list[Exception]) -> None:
        super().__init__("\n\n".join(str(error) for error in errors))
        self.errors = errors


def raise_all(errors: list[Exception]) -> None:
    """Raises one error as it is, several as one, none not at all."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise PageErrors(errors)
