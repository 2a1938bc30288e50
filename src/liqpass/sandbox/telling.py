"""How a story is told: chapters, facts, and what to say when it comes otherwise."""

from rich.console import Console


class StoryError(Exception):
    """Something came otherwise than the story tells it."""


class Teller:
    """Writes the story: numbered chapters, and under each what the product answered."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """A new numbered chapter."""
        self._chapter += 1
        self._console.print(f"\n[bold]{self._chapter:2}. {title}[/bold]", soft_wrap=True)

    def line(self, name: str, said: object) -> None:
        """One fact."""
        self._console.print(f"    [cyan]{name:<19}[/cyan] {said}", highlight=False, soft_wrap=True)

    def quote(self, text: str) -> None:
        """What a command printed, as it was."""
        for line in text.splitlines():
            self._console.print(f"    {line}", highlight=False, markup=False, soft_wrap=True)

    def dim(self, text: str) -> None:
        """Something beside the story."""
        self._console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)


def expect(holds: bool, otherwise: str) -> None:
    """Raises StoryError."""
    if not holds:
        raise StoryError(otherwise)
