"""Faults of the network to PostgreSQL, for a replica or the jobs: cut, silent, slow or reset."""

from tests.support.proxy import Proxy

from ..site import JOBS, PostgresSite
from .fault import Fault, SiteFault, SlotFault


class _OnTheWay(Fault):
    on = PostgresSite

    @property
    def way(self) -> str:
        """The name of the proxy."""
        raise NotImplementedError

    @property
    def proxy(self) -> Proxy:
        assert isinstance(self.scene.site, PostgresSite)
        return self.scene.site.proxies[self.way]

    def stop(self) -> None:
        self.proxy.heal()


class _Cuts(_OnTheWay):
    def start(self) -> bool:
        self.proxy.cut()
        return True


class _Deafens(_OnTheWay):
    def start(self) -> bool:
        self.proxy.swallow_answer_to("COMMIT")
        return True

    def stop(self) -> None:
        self.effective = self.proxy.deaf  # else nothing was committed meanwhile
        self.proxy.reset()  # the answers are gone for good
        super().stop()


class NetworkFault(_OnTheWay, SlotFault):
    """A fault of the way of one slot to PostgreSQL."""

    costs_leases = True

    @property
    def way(self) -> str:
        return self.slot.name


class Cut(_Cuts, NetworkFault):
    """Every connection is refused."""

    kind = "network cut"


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


class Deaf(_Deafens, NetworkFault):
    """From the next commit on no answer arrives: a commit is not acknowledged."""

    kind = "replies swallowed"


class _OfJobs(_OnTheWay, SiteFault):
    longest = 3.0
    way = JOBS


class CutJobs(_Cuts, _OfJobs):
    """The jobs cannot write, although their replica renews their leases."""

    kind = "jobs' network cut"


class DeafJobs(_Deafens, _OfJobs):
    """A job's commit is not acknowledged, so it writes again."""

    kind = "jobs' replies swallowed"
