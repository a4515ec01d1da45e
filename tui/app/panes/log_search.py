"""Search in log lines: what is looked for, where it is, and which hit or error comes next."""

from __future__ import annotations

from ondeck.errors import BadInput
from ondeck.observe.logstore import Filtered
from ondeck.observe.logwords import Term, parse
from tui.app.panes.log_lines import LogLines


class LogSearch:
    """One search over the lines that pass the filter.

    Attributes:
        term: What is looked for; None for nothing.
        hits: Lines that have it; None for no search.
        trouble: Why what was typed cannot be looked for.
    """

    def __init__(self, lines: LogLines) -> None:
        self.lines = lines
        self.term: Term | None = None
        self.hits: Filtered | None = None
        self.trouble = ""

    def look_for(self, text: str) -> None:
        """Another search; empty ends it."""
        self.term, self.hits, self.trouble = None, None, ""
        try:
            self.term = parse(text) if text.strip() else None
        except BadInput as error:
            self.trouble = error.message
        if self.term is not None:
            self.hits = Filtered(self.lines.store, self.lines.filtered.filter.plus(self.term))
            self.hits.work()

    def work(self) -> None:
        """Look at lines that came, and at some older ones."""
        if self.hits is not None:
            self.hits.update()
            self.hits.work()

    def nearest(self, number: int, *, following: bool) -> int | None:
        """The hit to show first: the newest while following, else the next from a line on, or the one above."""
        if self.hits is None:
            return None
        if following:
            return self.hits.next(self.lines.store.end, back=True)
        found = self.hits.next(number - 1)
        return found if found is not None else self.hits.next(number, back=True)

    @property
    def settled(self) -> bool:
        """No nearer hit can turn up any more."""
        return self.hits is None or self.hits.done

    def step(self, number: int, *, back: bool, errors: bool) -> int | None:
        """The next hit (or error) from a line, or the one before."""
        source = self.lines.filtered if errors else self.hits
        if source is None:
            return None
        return source.next_error(number, back=back) if errors else source.next(number, back=back)

    def words(self, number: int | None) -> str:
        """`/timeout  match 3 of 57` for the line at hand; `57 matches` when it is none of them."""
        if self.term is None or self.hits is None:
            return ""
        more = "" if self.hits.done else "+"
        count = len(self.hits)
        row = self.hits.row_of(number) if number is not None else count
        if row < count and self.hits.ids[row] == number:
            return f"/{self.term.text}  match {row + 1} of {count}{more}"
        return f"/{self.term.text}  {count}{more} match{'' if count == 1 else 'es'}"
