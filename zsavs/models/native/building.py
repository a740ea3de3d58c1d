"""A model of transformers out of a file's weights, each of which has to find its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import WeightsError, ZsavsError, first_line
from zsavs.models.native.naming import Renamed
from zsavs.models.runtime import explain_import_failure, import_transformers, quiet

if TYPE_CHECKING:
    import torch

__all__ = ["build", "made"]


def made(class_name: str, **settings: Any) -> Any:
    """An object of a public class of transformers, of settings alone: a configuration, or what prepares images.

    Raises:
        BrokenInstallation: the class cannot be imported.
    """
    transformers = import_transformers()
    try:
        cls = getattr(transformers, class_name)
    except Exception as error:
        raise explain_import_failure(error) from error
    return cls(**settings)


def build(
    class_name: str, config: Any, weights: Mapping[str, Renamed], path: Path, dtype: torch.dtype, family: str
) -> Any:
    """The model, its weights in ``dtype``.

    Args:
        class_name: a public model class of transformers.
        config: its configuration.
        weights: by the names under which transformers publishes them.
        path: of the file, for messages.
        dtype: of the weights, whatever the file holds.
        family: in words, for messages.

    Raises:
        WeightsError: naming the first weight of the file that has no place in the model, or one of another shape; or
            the first of the model's that the file lacks.
        BrokenInstallation: the class cannot be imported.
    """
    transformers = import_transformers()
    try:
        cls = getattr(transformers, class_name)
        with quiet():
            model, report = cls.from_pretrained(
                None,
                config=config,
                state_dict={name: weight.tensor for name, weight in weights.items()},
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except ZsavsError:
        raise
    except ImportError as error:
        raise explain_import_failure(error) from error
    except Exception as error:
        raise WeightsError(
            f"{path}: cannot be loaded as {family} ({type(error).__name__}: {first_line(error)}); it is another "
            "model's or broken."
        ) from error
    own = model.state_dict()
    # Whole numbers are tables that the model computes, and has computed.
    computed = {name for name in report["missing_keys"] if name in own and not own[name].is_floating_point()}
    _check({**report, "missing_keys": set(report["missing_keys"]) - computed}, weights, path, family)
    return model


def _check(report: Mapping[str, Any], weights: Mapping[str, Renamed], path: Path, family: str) -> None:
    """Refuse what transformers would only warn of."""
    order = {name: place for place, name in enumerate(weights)}

    def first(names: list[str]) -> str:
        return min(names, key=lambda name: (order.get(name, len(order)), name))

    if other := {name: (found, wanted) for name, found, wanted in report["mismatched_keys"]}:
        name = first(list(other))
        found, wanted = (tuple(shape) for shape in other[name])
        raise WeightsError(
            f"{path}: {_in_file(name, weights)} is {found}, where {family} of these sizes has {wanted}; it is another "
            "model's, or put together of two."
        )
    if unknown := list(report["unexpected_keys"]):
        name = first(unknown)
        raise WeightsError(
            f"{path}: {_in_file(name, weights)} has no place in {family} ({len(unknown)} of {len(weights)} have none); "
            "it is another model's, or of a version that zsavs does not know."
        )
    if missing := sorted(report["missing_keys"]):
        raise WeightsError(
            f"{path}: {len(missing)} weights of {family} are missing in the file ({missing[0]}, ...); it is incomplete "
            "or another model's."
        )


def _in_file(name: str, weights: Mapping[str, Renamed]) -> str:
    """A weight's name in the file, where it is known."""
    return weights[name].name if name in weights else name
