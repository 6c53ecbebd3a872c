"""Faults of the network to PostgreSQL, for a replica or the jobs: cut, silent, slow or reset."""

from tests.support.proxy import Proxy

from ..site import JOBS, PostgresSite
from .fault import SiteFault, SlotFault


class NetworkFault(SlotFault):
    """A fault of the way of one slot to PostgreSQL."""

    on = PostgresSite
    costs_leases = True

    @property
    def proxy(self) -> Proxy:
        assert isinstance(self.scene.site, PostgresSite)
        return self.scene.site.proxies[self.slot.name]

    def stop(self) -> None:
        self.proxy.heal()


class Cut(NetworkFault):
    """Every connection is refused."""

    kind = "network cut"

    def start(self) -> bool:
        self.proxy.cut()
        return True


class Silence(NetworkFault):
    """Connections stay open but nothing arrives; what was held back arrives at the end."""

    kind = "network silent"

    def start(self) -> bool:
        self.proxy.blackhole()
        return True


class Reset(NetworkFault):
    """All connections are reset once."""

    kind = "network reset"
    longest = 0.2
    costs_leases = False

    def start(self) -> bool:
        self.proxy.reset()
        return True


class Slow(NetworkFault):
    """Each packet takes longer."""

    kind = "network slow"
    costs_leases = False

    def start(self) -> bool:
        self.proxy.slow_down(0.03)
        return True


class Deaf(NetworkFault):
    """From the next commit on no answer arrives: a commit is not acknowledged."""

    kind = "replies swallowed"

    def start(self) -> bool:
        self.proxy.swallow_answer_to("COMMIT")
        return True

    def stop(self) -> None:
        self.effective = self.proxy.deaf  # else nothing was committed meanwhile
        self.proxy.reset()  # the answers are gone for good
        self.proxy.heal()


class _JobsNetwork(SiteFault):
    on = PostgresSite
    longest = 3.0

    @property
    def proxy(self) -> Proxy:
        assert isinstance(self.scene.site, PostgresSite)
        return self.scene.site.proxies[JOBS]

    def stop(self) -> None:
        self.proxy.heal()


class CutJobs(_JobsNetwork):
    """The jobs cannot write, although their replica renews their leases."""

    kind = "jobs' network cut"

    def start(self) -> bool:
        self.proxy.cut()
        return True


class DeafJobs(_JobsNetwork):
    """A job's commit is not acknowledged, so it writes again."""

    kind = "jobs' replies swallowed"

    def start(self) -> bool:
        self.proxy.swallow_answer_to("COMMIT")
        return True

    def stop(self) -> None:
        self.effective = self.proxy.deaf
        self.proxy.reset()
        super().stop()
