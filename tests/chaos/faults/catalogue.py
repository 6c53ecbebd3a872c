"""The catalogue of faults, with the frequency of each."""

from .acts import CancelTwice, PauseTwice, RequestTwice, RetryTwice
from .backfills import BackfillAtOnce
from .clocks import MoveWallClock
from .deploys import EditSetting, LoadAnew, NewerFile, OlderFile, OtherFile, SyncFile, TakeOver
from .fault import SiteFault, SlotFault
from .file import FillDisk, HoldWriteLock, HoldWriteLockBriefly, LongRead
from .interpreter import BlockLoop, FillDescriptors, HoldInterpreter
from .jobs import TriggerBlocker, TriggerKiller
from .network import Cut, CutJobs, Deaf, DeafJobs, Reset, Silence, Slow
from .processes import (
    KillAfar,
    KillAll,
    KillChild,
    KillKeeper,
    KillReplica,
    KillSupervisor,
    KillTemplate,
    PauseBriefly,
    PauseChild,
    PauseKeeper,
    PauseReplica,
    RestartReplica,
)
from .server import (
    Checkpoints,
    EndBackends,
    FailOver,
    FreezeServer,
    KillPooler,
    KillServer,
    LockBriefly,
    LockTables,
    LongTransaction,
    RestartServer,
    TakeConnections,
)
from .sets import KillInSet, KillInWrite, LoseAnswerInSet
from .users import InterruptUser, InterruptUserTwice, KillUser, PauseUser

SLOT_FAULTS: dict[type[SlotFault], int] = {
    KillReplica: 3,
    KillAfar: 1,
    KillInSet: 5,
    KillInWrite: 4,
    LoseAnswerInSet: 4,
    RestartReplica: 2,
    KillSupervisor: 2,
    PauseReplica: 3,
    PauseBriefly: 2,
    KillChild: 3,
    PauseChild: 2,
    KillKeeper: 2,
    KillTemplate: 2,
    PauseKeeper: 1,
    Cut: 2,
    Silence: 2,
    Reset: 2,
    Slow: 1,
    Deaf: 3,
    BlockLoop: 2,
    HoldInterpreter: 2,
    FillDescriptors: 3,
    MoveWallClock: 3,
    OlderFile: 3,
    NewerFile: 3,
    LoadAnew: 3,
    EditSetting: 4,
}

USER_FAULTS: dict[type[SlotFault], int] = {
    KillUser: 4,
    PauseUser: 4,
    InterruptUser: 4,
    InterruptUserTwice: 3,
    Cut: 2,
    Silence: 2,
    Reset: 2,
    Slow: 1,
    Deaf: 2,
}

SITE_FAULTS: dict[type[SiteFault], int] = {
    KillServer: 2,
    RestartServer: 2,
    FailOver: 2,
    FreezeServer: 1,
    KillAll: 1,
    EndBackends: 3,
    LockTables: 1,
    LockBriefly: 2,
    LongTransaction: 1,
    Checkpoints: 1,
    TakeConnections: 1,
    KillPooler: 2,
    CutJobs: 1,
    DeafJobs: 2,
    HoldWriteLock: 2,
    HoldWriteLockBriefly: 3,
    LongRead: 2,
    FillDisk: 2,
    SyncFile: 2,
    TakeOver: 1,
    OtherFile: 2,
    CancelTwice: 5,
    RetryTwice: 4,
    RequestTwice: 4,
    PauseTwice: 3,
    BackfillAtOnce: 8,
    TriggerKiller: 2,
    TriggerBlocker: 2,
}
