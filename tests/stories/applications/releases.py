"""Two releases of one file: a schedule stays, one is changed, one goes, and one comes."""

import os

from daemon import Schedules
from tests.support.telling import command

schedules = Schedules("releases")
release = os.environ["STORY_RELEASE"]
schedules.add("stays", every="0.3s").command("stays", command("stays", "tell=began"))
schedules.add("changes", every="0.3s").command(release, command(release, "tell=began"))
leaving_or_coming = {"old": "goes", "new": "comes"}[release]
schedules.add(leaving_or_coming, every="0.3s").command("work", command(leaving_or_coming, "tell=began"))
