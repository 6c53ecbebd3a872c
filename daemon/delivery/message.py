"""A message as people and programs get it."""

import json
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ..states import DeliveryKind
from ..text import clean, counted
from ..web.pages.links import schedule_path


@dataclass(frozen=True, slots=True)
class Message:
    """What a target is told."""

    number: int
    kind: DeliveryKind | str
    application: str
    schedule: str
    run_id: int | None
    created_at: datetime
    text: str
    """A sentence: what has happened, and what is so now."""
    next: tuple[str, ...] = ()
    """The commands that tell more, or help."""
    count: int = 1
    """How many scheduled times were missed."""
    folded: int = 0
    """So many others of its kind it tells as well."""
    output: str = ""
    """The end of what the run printed, for a ping of a failure."""
    pages: str | None = None
    """Where the pages begin, if that is known."""

    @property
    def url(self) -> str | None:
        """The page that shows more."""
        if self.pages is None:
            return None
        if self.folded:
            return f"{self.pages}/"
        if self.run_id is not None:
            return f"{self.pages}/runs/{self.run_id}"
        return f"{self.pages}/{schedule_path(self.application, self.schedule)}"

    @property
    def id(self) -> str:
        """What is the same for each attempt to deliver it, and for no other message."""
        return f"msg_{_uuid(self.application, self.number, self.created_at.isoformat()).hex}"

    @property
    def run_uuid(self) -> str:
        """What is the same for all pings of a run."""
        return str(_uuid(self.application, self.run_id))  # its schedule may be renamed meanwhile

    @property
    def sentence(self) -> str:
        """The text on one line, with how many others it stands for."""
        text = " ".join(clean(self.text).split())
        if not self.folded:
            return text
        return f"{counted(self.folded + 1, 'message')} of the kind {self.kind}; the first: {text}"

    def webhook(self) -> str:
        """Return the body of a webhook as Standard Webhooks has it."""
        data: dict[str, Any] = {
            "application": self.application,
            "schedule": self.schedule,
            "run_id": self.run_id,
            "text": self.sentence,
            "next": list(self.next),
            "count": self.count,
            "folded": self.folded,
            **({} if self.url is None else {"url": self.url}),
        }
        document = {"type": self.kind, "timestamp": self.created_at.isoformat(), "data": data}
        return json.dumps(document, ensure_ascii=False)

    def slack(self) -> str:
        """Return the body that Slack and its likes take; no part of it is markup of theirs."""
        text = escape(f"[{self.kind}] {self.schedule} ({self.application}): {self.sentence}", quote=False)
        if self.url is not None:
            text += f" <{self.url}>"
        return json.dumps({"text": text}, ensure_ascii=False)

    def mail(self) -> str:
        """Return the text that a command reads."""
        lines = [
            self.sentence,
            "",
            f"kind:        {self.kind}",
            f"application: {clean(self.application)}",
            f"schedule:    {clean(self.schedule)}",
            *([] if self.run_id is None else [f"run:         {self.run_id}"]),
            f"at:          {self.created_at:%Y-%m-%d %H:%M:%S} UTC",
            *([] if self.url is None else [f"page:        {self.url}"]),
            *(f"see also:    {clean(command)}" for command in self.next),
        ]
        return "\n".join(lines) + "\n"


def _uuid(*of: object) -> Any:
    return uuid5(NAMESPACE_URL, "leased:" + "/".join(map(str, of)))
