"""What the hub's client raises, as errors that say what to do: the cheapest thing that helps."""

from __future__ import annotations

import errno

from zsavs.errors import MissingWeights, WeightsError, first_line
from zsavs.storage.weights import WeightCard, cache_folder

__all__ = ["LOGIN", "explained", "may_pass"]

#: Answers of a server that may do better a moment later; so may those from 500 on.
_BUSY = (408, 429)
#: What a disk fails with that is full.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

#: How to say who one is.
LOGIN = "hf auth login  (or set HF_TOKEN)"
_KEPT = "what is here is kept, and the same command fetches only what is missing"


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed a moment later: a server that is busy, a connection that was lost."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, HfHubHTTPError):
        status = _status(error)
        return status >= 500 or status in _BUSY
    if isinstance(error, (ValueError, OfflineModeIsEnabled)):  # the client has tried several times, or cannot
        return False
    return not _of_the_disk(error)


def _status(error: BaseException) -> int:
    """The status of the answer that an error of the hub's client is about; 0 where there was none."""
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def _of_the_disk(error: BaseException) -> bool:
    """Whether an error is of this machine: those of the network are others, or carry no number."""
    return isinstance(error, OSError) and bool(error.errno) and not isinstance(error, (ConnectionError, TimeoutError))


def explained(error: Exception, card: WeightCard, endpoint: str | None, name: str = "") -> WeightsError:
    """An error of the hub's client, as one that says what to do.

    Args:
        error: what it raised.
        card: whose repository was asked for.
        endpoint: the address that was asked in place of the hub's.
        name: the file that was asked for; "" for the list of files.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        EntryNotFoundError,
        FileMetadataError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # Where it finds nothing in the cache either, the client says so in place of what went wrong.
    cause: BaseException = error
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        cause = error.__cause__
    reason = first_line(cause)
    what = f"{card.source}: {name}" if name else card.source
    hub = f"the mirror ZSAVS_MIRROR={endpoint}" if endpoint else "the hub"
    if isinstance(cause, HFValidationError):
        return MissingWeights(f"{card.source}: no name of a hub repository; give org/name, or a preset.")
    if isinstance(cause, GatedRepoError):
        answer = getattr(cause, "server_message", None)  # that a request waits for an answer, or was refused
        says = f" It says: {first_line(Exception(answer)).rstrip('.')}." if answer else ""
        asks = f" (it asks for {card.gate})" if card.gate else ""
        return MissingWeights(
            f"{what}: the repository is gated, and its owner lets you in first.{says} Ask for access at "
            f"https://huggingface.co/{card.source}{asks}, log in with: {LOGIN}, and run the same command again; "
            f"{_KEPT}. Without access, take a preset that does without it: zsavs list preset"
        )
    if isinstance(cause, RepositoryNotFoundError):
        return MissingWeights(
            f"{card.source}: {hub} has no such repository, or it is private ({reason}). Check the name; if it is "
            f"private, log in with: {LOGIN}."
        )
    if isinstance(cause, RevisionNotFoundError):
        return MissingWeights(
            f"{card.source}: {hub} has no revision {card.revision} of it ({reason}). Look for a newer zsavs, or fetch "
            f"another one with: hf download {card.source}  and give its folder as checkpoint."
        )
    if _status(cause) in (401, 403):
        return MissingWeights(
            f"{what}: {hub} does not let you have it ({reason}). Log in again with: {LOGIN}, or unset a HF_TOKEN that "
            f"is no longer valid; {_KEPT}."
        )
    if isinstance(cause, EntryNotFoundError) and not isinstance(cause, LocalEntryNotFoundError):
        elsewhere = "unset ZSAVS_MIRROR to ask the hub" if endpoint else "run the same command again later"
        return MissingWeights(f"{what}: {hub} lists it and does not have it ({reason}); {elsewhere}: {_KEPT}.")
    if isinstance(cause, FileMetadataError):
        remedy = "set ZSAVS_MIRROR to that address, or unset it" if endpoint else "check HF_ENDPOINT and any proxy"
        return MissingWeights(
            f"{what}: {hub} does not answer as the hub does (no X-Repo-Commit or no ETag), as where it sends on to "
            f"another address; {remedy}: {_KEPT}."
        )
    if _of_the_disk(cause):
        full = isinstance(cause, OSError) and cause.errno in _FULL
        return WeightsError(
            f"{what}: the download broke off ({reason}). {'Free some space in' if full else 'Check'} {cache_folder()}, "
            f"or set HF_HOME to another place, and run the same command again; finished files are kept."
        )
    if constants.HF_HUB_OFFLINE:
        return MissingWeights(
            f"{what}: could not be fetched ({reason}). HF_HUB_OFFLINE must be off for that; or copy the repository "
            f"from another machine into {cache_folder()}."
        )
    if name or _status(cause):
        return MissingWeights(
            f"{what}: could not be fetched ({reason}), asked several times. Run the same command again in a while: "
            f"{_KEPT}."
        )
    network = hub if endpoint else "the network"
    return MissingWeights(
        f"{what}: could not be fetched ({reason}). Check the name and {network}, or copy the repository from another "
        f"machine into {cache_folder()}."
    )
