"""What an engine has because it is one of several."""

from dataclasses import dataclass

from reference_impl.fleet.courier import Courier
from reference_impl.fleet.journal import SharedJournal
from reference_impl.fleet.members import Members
from reference_impl.fleet.redis_bus import RedisBus
from reference_impl.fleet.watches import Watches


@dataclass(frozen=True, slots=True)
class Companions:
    """The parts through which an engine deals with the others."""

    bus: RedisBus
    journal: SharedJournal
    courier: Courier
    members: Members
    watches: Watches
