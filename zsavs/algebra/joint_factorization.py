"""Co-factorisation as published (TACO): two factorisations with a shared index, by gradient descent.

TACO (Malard et al., arXiv 2412.01488) models the tokens of audio and image as ``sigmoid(T) V`` with as many
components each, and component ``k`` of one belongs to component ``k`` of the other. The objective is

    ``||X_a - U_a V_a|| + ||X_v - U_v V_v|| + penalty * min_k CE(p(label | c_v,k), p(label | c_a,k))``

from a random initialisation: the labels of the components are part of the objective. This is test-time optimisation:
of the factors of one sample, never of a network. Here scores are calibrated before the softmax, tokens are scaled to a
mean square of 1, as learning rates depend on scale, and a component's embedding is the mean of the tokens' embeddings,
weighted by its activations, as nothing is differentiated through the encoders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["Side", "descend"]

#: Of plain gradient descent, halved after this many steps: the published settings.
_RATE, _HALVED_AFTER = 0.25, 500


Rows = NDArray[np.floating[Any]]


class Side(NamedTuple):
    """One modality of one sample.

    ``tokens`` (N, C), none below 0; ``embeddings`` (N, D), each token's own; ``text`` (L, D) and ``usual`` (L,), with
    which ``embedding @ text.T - usual`` is a calibrated score for each label.
    """

    tokens: Rows
    embeddings: Rows
    text: Rows
    usual: Rows


def descend(
    audio: Side, image: Side, count: int, *, steps: int, seed: int, penalty: float, temperature: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Activations of components that share an index.

    Args:
        audio: its labels are the first of the image's.
        image: may have further labels, which no audio has.
        count: of components, K.
        steps: of descent.
        seed: of the initialisation; the same seed gives the same factors on the same machine.
        penalty: how much agreement counts against fit.
        temperature: of both softmaxes, in standard deviations.

    Returns:
        (N_a, K) and (N_v, K) in [0, 1].
    """
    import torch

    random = np.random.default_rng(seed)
    sides = [_Moving(side, count, random) for side in (audio, image)]
    moving = [factor for side in sides for factor in (side.inner, side.components)]
    for step in range(steps):
        heard, seen = ((side.scores() / temperature).log_softmax(dim=1) for side in sides)
        disagreement = -(heard.exp() * seen[:, : heard.shape[1]]).sum(dim=1)
        loss = sides[0].misfit() + sides[1].misfit() + penalty * disagreement.min()
        gradients = torch.autograd.grad(loss, moving)
        with torch.no_grad():
            for factor, gradient in zip(moving, gradients, strict=True):
                factor -= _RATE * 0.5 ** (step // _HALVED_AFTER) * gradient
            for side in sides:
                side.components.clamp_(min=0)
    return sides[0].found(), sides[1].found()


class _Moving:
    """One side's factors during the optimisation: ``sigmoid(inner)`` (N, K) times ``components`` (K, C)."""

    def __init__(self, side: Side, count: int, random: np.random.Generator) -> None:
        import torch

        tokens = np.asarray(side.tokens, np.float64)
        tokens = tokens / (np.sqrt(np.square(tokens).mean()) + 1e-12)
        self.tokens, self.embeddings, self.text, self.usual = (
            torch.from_numpy(np.array(values, np.float64)) for values in (tokens, *side[1:])
        )
        self.inner = torch.from_numpy(random.standard_normal((len(tokens), count))).requires_grad_()
        self.components = torch.from_numpy(_far_apart(tokens, count, random)).requires_grad_()

    def misfit(self) -> torch.Tensor:
        """The Frobenius norm of the residual."""
        residual = self.tokens - self.inner.sigmoid() @ self.components
        return (residual.square().sum() + 1e-12).sqrt()

    def scores(self) -> torch.Tensor:
        """(K, L) calibrated scores of the components."""
        active = self.inner.sigmoid()
        rows = (active / active.sum(dim=0)).T @ self.embeddings
        scores: torch.Tensor = rows / (rows.norm(dim=1, keepdim=True) + 1e-12) @ self.text.T - self.usual
        return scores

    def found(self) -> NDArray[np.float64]:
        """The activations."""
        activations: NDArray[np.float64] = self.inner.detach().sigmoid().numpy()
        return activations


def _far_apart(tokens: NDArray[np.float64], count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Initial components, (K, C): tokens, each drawn in proportion to its squared distance from those drawn before.

    The seeding of k-means++ (Arthur and Vassilvitskii, SODA 2007).
    """
    drawn = [int(random.integers(len(tokens)))]
    while len(drawn) < count:
        gaps = np.square(tokens[:, None] - tokens[drawn][None]).sum(axis=2).min(axis=1)
        likely = gaps / gaps.sum() if gaps.sum() > 0 else None  # all the same: any will do
        drawn.append(int(random.choice(len(tokens), p=likely)))
    return tokens[drawn]
