"""The errors of the toolkit.

MlopsError
├── InvalidSettings         a variable of the environment has a value that cannot be used
├── StoreError              the state database
│   ├── StoreUnavailable        it cannot be reached or does not answer
│   └── StoreTooNew             it was written by a later release
├── RegistryError           the model registry
│   ├── InvalidMetadata         a field of a version cannot be kept as it is
│   ├── InvalidExport           a file to import is no registry
│   ├── UnknownModel            no version of this model was ever registered
│   ├── UnknownVersion          no such version of this model was ever registered
│   ├── VersionExists           this version is there already, with other content
│   ├── IllegalMove             no move leads from this status to that one
│   ├── NothingToRollBackTo     no earlier version served
│   ├── Conflict                somebody else was first
│   ├── Frozen                  automatic moves are switched off
│   ├── ApprovalRequired        the promotion was requested, and waits for a person
│   └── ApprovalRefused         this person may not decide it, or there is nothing to decide
│       └── NothingToDecide         no such request waits, or not any more
├── ArtefactError           the files of a model version
│   ├── ArtefactMissing         they are not there
│   ├── ArtefactDamaged         they are not what was written
│   ├── ArtefactForeign         they are whole, and not ours
│   └── ArtefactRefused         their format could run code, or is unknown
├── MirrorError             the mirror of the registry in MLflow
│   ├── MirrorBusy              another process is mirroring
│   └── MirrorDiffers           MLflow has something else under a version's name
├── AccessError             API keys
│   ├── InvalidKey              a key cannot be made as asked
│   ├── UnknownKey              no key has this name
│   ├── NotAuthenticated        no key, or none that counts
│   └── NotAllowed              the key's scope does not reach so far
├── DriftError              two data sets cannot be compared
│   ├── BadProfile              what should be a reference profile is none
│   └── ProfileMissing          a model version was registered without one
├── EvaluationError         see mlops.evaluation.errors
├── AlertError              alerts
│   ├── UnknownAlert            no alert has this number
│   ├── AlertClosed             it is resolved already
│   └── DeliveryFailed          nobody could be told of it now
├── RetrainingError         training a model anew
│   ├── TooLittleData           there is not enough to learn from
│   ├── TrainingInterrupted     the training failed for a reason that may pass
│   ├── UnknownTrainer          nobody has said how this model is trained
│   ├── UnknownJob              there is no job of this number
│   ├── JobConflict             the job is not where this change expects it, or another one is open
│   │   └── JobOpen                 another one is open, and trains with other parameters
│   ├── JobLost                 another worker has the job by now
│   └── BadSchedule             what should be a schedule is none
├── RolloutError            bringing a challenger into production step by step
│   ├── BadPlan                 a rollout cannot be planned like that
│   ├── UnknownGuard            no guardrail has this name
│   ├── UnknownRollout          there is no such rollout
│   ├── RolloutOpen             one of this model is under way
│   ├── RolloutRefused          it does not stand where this can be done
│   │   └── RolloutChanged          it is over, or this was done already
│   ├── Barred                  a rolled-back version must not come back by itself
│   └── TooLittleOverlap        what was logged says too little about another policy
└── ValidationError         data that cannot be validated; data that is wrong is a report, not an error
    ├── BadSchema               what should be a schema is none, or a rule in it is unknown
    └── UnreadableData          the data cannot be read, or not without changing it
"""


class MlopsError(Exception):
    """Any error that the toolkit raises on purpose."""


class DriftError(MlopsError):
    """Two data sets cannot be compared."""


class BadProfile(DriftError, ValueError):
    """What should be a reference profile is none; the message names the field."""


class ProfileMissing(DriftError, LookupError):
    """A model version was registered without a reference profile, so there is nothing to compare with."""


class RetrainingError(MlopsError):
    """Something about training a model anew."""


class TooLittleData(RetrainingError):
    """There is not enough to learn from. The message says how much there is, and how much it takes."""


class TrainingInterrupted(RetrainingError):
    """The training failed for a reason that may pass, such as a source that does not answer: it is tried again."""


class UnknownTrainer(RetrainingError, LookupError):
    """Nobody has said how this model is trained. The message says how to."""


class UnknownJob(RetrainingError, LookupError):
    """There is no retraining job of this number."""


class JobConflict(RetrainingError):
    """The job is not where this change expects it, or another job of the model is open. Nothing was changed."""


class JobOpen(JobConflict):
    """Another job of the model is open, and trains with other parameters. There is one at a time."""


class JobLost(RetrainingError):
    """Another worker has the job by now, so that this one writes nothing any more."""


class BadSchedule(RetrainingError, ValueError):
    """What should be a schedule is none; the message says what would be one."""


class AlertError(MlopsError):
    """Something about alerts."""


class UnknownAlert(AlertError, LookupError):
    """No alert has this number."""


class AlertClosed(AlertError):
    """The alert is resolved already, so there is nothing left to acknowledge or resolve."""


class DeliveryFailed(AlertError):
    """Nobody could be told of an alert by this channel now."""


class RolloutError(MlopsError):
    """Something about bringing a challenger into production step by step."""


class BadPlan(RolloutError, ValueError):
    """A rollout cannot be planned like that; the message names the field, its value, and what would be right."""


class UnknownGuard(BadPlan, LookupError):
    """No guardrail has this name; the message lists those that there are."""


class UnknownRollout(RolloutError, LookupError):
    """There is no such rollout."""


class RolloutOpen(RolloutError):
    """A rollout of this model is under way; there is one at a time."""


class RolloutRefused(RolloutError):
    """The rollout does not stand where this can be done."""


class RolloutChanged(RolloutRefused):
    """The rollout, its version or the bar is not, or no longer, as this takes it to be: over, or done already."""


class Barred(RolloutError):
    """A version that was rolled back, or one with the same files, does not come back until somebody unbars it."""


class TooLittleOverlap(RolloutError):
    """What was logged says too little about another policy to give a number."""


class InvalidSettings(MlopsError, ValueError):
    """A variable of the environment has a value that cannot be used; the message names both."""


class StoreError(MlopsError):
    """Something about the state database."""


class StoreUnavailable(StoreError):
    """The state database cannot be reached or does not answer."""


class StoreTooNew(StoreError):
    """The state database was written by a later release than this one."""


class RegistryError(MlopsError):
    """Something about the model registry."""


class InvalidMetadata(RegistryError, ValueError):
    """A field of a version cannot be kept as it is. *field* names it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class InvalidExport(RegistryError, ValueError):
    """A file to import is no registry, or one that cannot be kept beside what is here."""


class UnknownModel(RegistryError, LookupError):
    """No version of this model was ever registered."""


class UnknownVersion(RegistryError, LookupError):
    """No such version of this model was ever registered."""


class VersionExists(RegistryError):
    """This version is there already, with other content. Versions never change."""


class IllegalMove(RegistryError):
    """No move leads from this status to that one. *from_status* and *to_status* name them."""

    def __init__(self, message: str, *, from_status: str, to_status: str) -> None:
        super().__init__(message)
        self.from_status = from_status
        self.to_status = to_status


class NothingToRollBackTo(RegistryError):
    """No earlier version served, so there is none to go back to."""


class Conflict(RegistryError):
    """Somebody else was first: what this change rests on is no longer so. Nothing was changed."""


class Frozen(RegistryError):
    """Automatic moves are switched off; a person may still make this one."""


class ApprovalRequired(RegistryError):
    """The promotion was requested, and waits for a person. *approval_id* is the number of the request."""

    def __init__(self, message: str, *, approval_id: int) -> None:
        super().__init__(message)
        self.approval_id = approval_id


class ApprovalRefused(RegistryError):
    """This person may not decide this request, or there is nothing to decide."""


class NothingToDecide(ApprovalRefused):
    """No such request waits: it was decided already, another one waits by now, or there never was one."""


class ArtefactError(MlopsError):
    """Something about the files of a model version."""


class ArtefactMissing(ArtefactError, LookupError):
    """The files are not there."""


class ArtefactDamaged(ArtefactError):
    """The files are not what was written: one was changed, cut short, taken away or added."""


class ArtefactForeign(ArtefactError):
    """The files are whole, and not ours: unsigned, signed with another key, or filed under another digest."""


class ArtefactRefused(ArtefactError, ValueError):
    """The format of a file could run code when it is loaded, or is unknown."""


class MirrorError(MlopsError):
    """Something about the mirror of the registry in MLflow."""


class MirrorBusy(MirrorError):
    """Another process is mirroring, so this one must not."""


class MirrorDiffers(MirrorError):
    """MLflow has something else under the name of a version, which was not written by this registry."""


class AccessError(MlopsError):
    """Something about API keys."""


class InvalidKey(AccessError, ValueError):
    """A key cannot be made as asked."""


class UnknownKey(AccessError, LookupError):
    """No key has this name."""


class NotAuthenticated(AccessError):
    """There is no key, or none that counts."""


class NotAllowed(AccessError):
    """The key's scope does not reach so far."""


class ValidationError(MlopsError):
    """Data that cannot be validated. Data that is wrong is a report, not an error."""


class BadSchema(ValidationError, ValueError):
    """What should be a schema is none, or a rule in it is unknown."""


class UnreadableData(ValidationError):
    """The data cannot be read, or not without changing it."""
