"""The class that adapters inherit: a frozen model on a device, loaded from a checkpoint."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from zsavs.errors import UnknownName, WeightsError
from zsavs.models.checkpoints import bank_beside, card_for, load_model
from zsavs.models.runtime import load_part, resolve_device, resolve_dtype, to_device
from zsavs.storage.weights import WeightCard, locate

if TYPE_CHECKING:
    import torch

__all__ = ["Adapter"]

#: Keywords of a constructor that are no settings: loading gives them.
_GIVEN = ("card", "device")


class Adapter:
    """A frozen model on a device, with the card of its weights.

    A subclass names what it is made of in class attributes, takes those parts and its settings in its constructor, and
    has the verbs of its role. A setting and its default stand in the constructor alone.

    Args:
        model: it is moved, frozen and put into evaluation mode.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
    """

    #: The cards of the checkpoints that are known, and the checkpoint that is loaded where none is named.
    cards: ClassVar[Mapping[str, WeightCard]] = {}
    default: ClassVar[str] = ""
    #: What its loader needs of a folder that no card names, as ``WeightCard.files``.
    files: ClassVar[tuple[str, ...]] = ()
    #: Classes of transformers, in the order of the constructor: the model, then what prepares its inputs.
    parts: ClassVar[tuple[str, ...]] = ()
    #: Whether dtype "auto" may be half precision (:func:`zsavs.models.runtime.resolve_dtype`).
    half_is_safe: ClassVar[bool] = True
    #: Settings that lie beside the weights as a file: "sound_bank", "picture_bank".
    banks: ClassVar[tuple[str, ...]] = ()
    #: Parts of the model for :func:`zsavs.models.torch_compile.compile_towers`.
    towers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, model: Any, card: WeightCard, device: str) -> None:
        self.device = resolve_device(device)
        self.model = to_device(model, self.device)
        self.card = card

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = "",
        *,
        revision: str = "main",
        device: str = "auto",
        dtype: str = "auto",
        **settings: Any,
    ) -> Self:
        """Load a checkpoint that is on this machine: a folder made by ``save_pretrained``, or a hub name.

        Args:
            checkpoint: a key of the class's ``cards``, any other repository of its kind in the hub cache, or a folder;
                for some classes the path of a file as its authors publish it, too (:mod:`zsavs.models.native`); left
                out, the class's ``default``.
            revision: branch, tag or commit of a hub repository.
            device, dtype: see :mod:`zsavs.models.runtime`.
            settings: those of the class. A bank that is left out, or None, is the one beside the weights.

        Raises:
            UnknownName: a setting that the class does not have.
            InputError: a setting out of range.
            MissingWeights: the checkpoint or one of its files is not on this machine.
            WeightsError: it cannot be read as this model.
        """
        cls.check_settings(settings)
        checkpoint = checkpoint if str(checkpoint) else cls.default
        folder = locate(checkpoint, revision, cls.files_of(checkpoint))
        where = resolve_device(device)
        read = cls.read_file if folder.is_file() else cls.read_parts
        make: Callable[..., Self] = cls  # a subclass, whose constructor takes these
        return make(
            *read(folder, resolve_dtype(dtype, where, half_is_safe=cls.half_is_safe)),
            card=card_for(cls.cards, checkpoint, folder),
            device=str(where),
            **cls.with_banks(folder, settings),
        )

    @classmethod
    def files_of(cls, checkpoint: str | Path) -> tuple[str, ...]:
        """What the loader needs of a checkpoint: what its card says, or the class where it has none."""
        named = str(checkpoint)
        known = (card for name, card in cls.cards.items() if named in (name, card.source))
        return next((card.files for card in known if card.files), cls.files)

    @classmethod
    def read_parts(cls, folder: Path, dtype: torch.dtype) -> Sequence[Any]:
        """What the constructor takes before its settings, from a checkpoint's folder: the model in ``dtype``, then the
        others.

        Raises:
            MissingWeights, WeightsError: as :meth:`load`.
        """
        model, *others = cls.parts
        return [load_model(model, folder, dtype), *(load_part(name, folder) for name in others)]

    @classmethod
    def read_file(cls, path: Path, dtype: torch.dtype) -> Sequence[Any]:
        """As :meth:`read_parts`, from a single file as its authors publish it.

        Raises:
            WeightsError: it cannot be read as this model, and where the class reads no such files.
            MissingWeights: what the file lacks, as a tokenizer, is not on this machine.
        """
        raise WeightsError(
            f"{path}: a single file, where {cls.__name__} loads a folder made by save_pretrained, or a repository of "
            f"the hub as {cls.default}; give one of these."
        )

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        """Refuse settings that the constructor does not take.

        Raises:
            UnknownName: naming the setting and those that there are.
        """
        keywords = [p.name for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY]
        known = [name for name in keywords if name not in _GIVEN]
        for name in settings:
            if name not in known:
                raise UnknownName(f"setting of {cls.__name__}", name, known)

    @classmethod
    def with_banks(cls, folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings, and for each bank that they do not give the one that lies in a checkpoint's folder.

        Raises:
            WeightsError: a bank cannot be read.
        """
        lacking = [kind for kind in cls.banks if settings.get(kind) is None]
        return {**settings, **{kind: bank_beside(folder, kind) for kind in lacking}}
