"""What must hold after every step, in true time."""

from collections.abc import Sequence

from lease import events
from lease.grant_state import GrantState
from lease.model import Grant, Loss, LossKind

from .client import Client
from .database import Database
from .faults import Conditions
from .machine import Machine
from .world import Broken, World

_ROUNDING = 1e-6


class Watchman:
    """Looks at the inside of all clients and of the database, as nobody in the world could."""

    def __init__(self, world: World, database: Database, given: Conditions) -> None:
        self._world = world
        self._database = database
        self._given = given
        self.clients: list[Client] = []
        self._known: dict[str, dict[Grant, GrantState]] = {}
        self._over: dict[str, list[GrantState]] = {}
        self._untrusted: set[Grant] = set()
        self._nobodys: dict[Grant, float] = {}
        self.losses = 0
        world.before_step = world.after_step = self._look_at
        database.on_granted = lambda _: self._look_at_all()
        database.on_renewed = self._owned

    def heard(self, client: Client, event: events.Event) -> None:
        """Judge what a client tells."""
        now = self._world()
        self._world.tell(client.name, event)
        if isinstance(event, events.Granted) and client.states[event.grant].remaining() <= 0:
            self._world.blame(f"{client.name} was given {event.grant}, which it cannot trust")
        elif isinstance(event, events.Lost):
            self.losses += 1
            self._judge_loss(client, event.loss)
        elif isinstance(event, events.HeartbeatFailed) and not client.faulty(now):
            self._world.blame(f"the heartbeat of {client.name} failed: {event.error}")

    def _judge_loss(self, client: Client, loss: Loss) -> None:
        now, grant = self._world(), loss.grant
        if loss.kind is LossKind.ENDED and grant in self._database.seized:
            return
        if not client.excused(now):
            self._world.blame(f"{client.name} lost {grant}, and nothing was wrong: {loss.cause}")
        ended = client.machine.true(self._known[client.name][grant].trusted_until)
        # A timer that was set before a sleep comes late by it; the watch looks at the clock again within half a second.
        ran = not client.stopped_since(ended - 0.5 / client.machine.rate)
        if now - ended > 0.05 * self._given.timing.attempt_timeout and ran:
            self._world.blame(
                f"{client.name} was told of its loss of {grant} {now - ended:.3f} s after trust had ended"
            )

    def _look_at_all(self) -> None:
        for client in self.clients:
            self._look(client)

    def _look_at(self, machine: Machine) -> None:
        for client in self.clients:
            if client.machine is machine:
                self._look(client)

    def _look(self, client: Client) -> None:
        if not client.machine.alive:
            return
        known, over = self._known.setdefault(client.name, {}), self._over.setdefault(client.name, [])
        known.update(client.states)
        for grant, state in list(known.items()):
            if state.loss is not None or state.over:
                over.append(known.pop(grant))
            else:
                self._trust_is_safe(client, state)
        for state in over[-4:]:
            if state.remaining() > 0:
                raise Broken(f"{client.name} trusts {state.grant}, which it had lost or released: lost is final")

    def _trust_is_safe(self, client: Client, state: GrantState) -> None:
        """Rules 2 and 3: trust, and what it takes to end the work, end before the database lets another have it."""
        grant, machine = state.grant, client.machine
        if grant in self._database.seized:
            return
        if state.remaining() <= 0:
            self._untrusted.add(grant)
            return
        if grant in self._untrusted:
            raise Broken(f"{client.name} trusts {grant} again, after trust had ended")
        row = self._database.row(grant)
        if (row.token, row.holder) == (grant.token, grant.holder):
            ends = machine.true(state.trusted_until + self._given.timing.kill_time)
            if ends >= row.expires_at:
                raise Broken(
                    f"{client.name} trusts {grant} until {machine.true(state.trusted_until):.6f}, and may work until {ends:.6f}, "
                    f"but the database lets others have it at {row.expires_at:.6f}"
                )
        elif not state.ending:
            raise Broken(f"{client.name} trusts {grant}, which has ended: {row}")

    def _owned(self, grant: Grant) -> None:
        """Rule 6: what nobody holds is not renewed for ever."""
        client = next(client for client in self.clients if client.name == grant.holder)
        heartbeat, now = client.core.heartbeat, self._world()
        if grant in client.states or grant in heartbeat.quarantined:
            self._nobodys.pop(grant, None)
            return
        timing = self._given.timing
        if not client.machine.alive or now - self._database.asked_at > timing.attempt_timeout / client.machine.rate:
            return  # the request came late, and tells nothing of what the client does now
        since = max(self._nobodys.get(grant, now), client.disturbed_until(now))
        self._nobodys[grant] = since
        bound = timing.renew_every + 2 * timing.attempt_timeout + timing.retry_wait
        if client.acquires(grant.name):
            bound += timing.ttl + timing.attempt_timeout  # it is seen when the acquisition looks again
        if now - since > bound / client.machine.rate + _ROUNDING:
            raise Broken(f"{grant} is renewed still, {now - since:.3f} s after {client.name} let go of it")

    def at_the_end(self, clients: Sequence[Client]) -> None:
        """Judge what is left when all faults have ended and all work is done."""
        for client in clients:
            self._look(client)
        if left := self._database.live():
            raise Broken(f"all clients have gone, and these are held still: {left}")
