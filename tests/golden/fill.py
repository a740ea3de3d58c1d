"""Deterministic, name-based weights and inputs for golden-value checks.

No weights are shipped with the golden files of this folder.  Every parameter is
recomputed from its state-dict key, so any implementation that keeps the
checkpoint's key names and shapes can be filled with the same numbers:

    model.load_state_dict({k: torch.from_numpy(v) for k, v in
                           fill({k: tuple(t.shape) for k, t in model.state_dict().items()},
                                salt="...").items()})

How a number is made (only guaranteed-stable numpy parts are used):

    digest = sha256((salt + "\\0" + name).encode("utf-8"))
    seed   = int.from_bytes(digest[:16], "little")
    raw    = numpy.random.PCG64(seed).random_raw(count)        # uint64 stream
    x      = (2 * (raw >> 11) * 2**-53 - 1) * sqrt(3)          # mean 0, variance 1

in C order of the tensor, in float64; scaled by ``rule(name, shape)`` in float64 and
rounded once to float32.  Golden values are computed from those float32 weights.

Scales.  Everything that writes into the residual stream (class token, positional and
token embeddings, stems, the layer norms that end a stem, attention output and second
MLP matrix) is of the order of R = 0.05, so that a wrong layer-norm epsilon shows;
matrices are divided by sqrt(fan_in), fan_in = product of all dimensions but the first;
other layer-norm weights are 1 + 0.2 x, other biases 0.2 x.  ``mask`` is the causal mask
and ``log_logit_scale`` lies between log 5 and log 25, a different value for each key.

numpy and the standard library only; nothing here is specific to one framework.
"""

import hashlib
import math

import numpy as np

R = 0.05  # magnitude of residual-stream writers
QKV_GAIN = 2.0  # sharper than uniform attention, so that inputs matter
OUT_GAIN = 3.0  # makes up for the averaging over tokens, for the same reason


def _raw(name, count, salt=""):
    digest = hashlib.sha256((salt + "\0" + name).encode("utf-8")).digest()
    return np.random.PCG64(int.from_bytes(digest[:16], "little")).random_raw(count)


def unit(name, shape, salt=""):
    """float64 array of `shape`: uniform, mean 0, variance 1, fixed by (salt, name)."""
    count = int(np.prod(shape, dtype=np.int64))
    x = (_raw(name, count, salt) >> np.uint64(11)).astype(np.float64)
    x *= 2.0**-52
    x -= 1.0
    x *= math.sqrt(3.0)
    return x.reshape(shape)


def rule(name, shape):
    """(offset, scale) of a parameter: value = offset + scale * unit(name, shape)."""
    parts = name.split(".")
    last, owner = parts[-1], parts[-2] if len(parts) > 1 else ""
    matrix = len(shape) > 1
    fan_in = float(np.prod(shape[1:], dtype=np.int64))  # 1.0 for a vector
    if last in ("cls_token", "pos_embed") or owner == "token_embedding":
        return 0.0, R
    if last in ("bias_k", "bias_v"):
        return 0.0, 1.0
    if last == "in_proj_weight":
        return 0.0, QKV_GAIN / math.sqrt(fan_in)
    writer = parts[0] == "modality_preprocessors" or "pre_transformer_layer" in parts
    size = R if writer or owner in ("out_proj", "fc2") else 1.0
    if matrix:
        return 0.0, size * (OUT_GAIN if owner == "out_proj" else 1.0) / math.sqrt(fan_in)
    if last == "weight":  # of a layer norm
        return size, 0.2 * size
    return 0.0, 0.2 * size


def fill_one(name, shape, salt=""):
    """float32 array for one state-dict entry."""
    last = name.rsplit(".", 1)[-1]
    if last == "mask":
        out = np.zeros(shape, np.float32)
        out[np.triu_indices(shape[0], 1, shape[1])] = -np.inf
        return out
    if last == "log_logit_scale":
        u = float(unit(name, (1,), salt)[0]) / (2.0 * math.sqrt(3.0)) + 0.5
        return np.asarray(math.log(5.0 + 20.0 * u), np.float32).reshape(shape)
    offset, scale = rule(name, shape)
    x = unit(name, shape, salt)
    x *= scale
    if offset:
        x += offset
    return x.astype(np.float32)


def fill(shapes, salt=""):
    """{name: shape} -> {name: float32 array}.  Peak memory: the result plus one float64 tensor."""
    return {name: fill_one(name, tuple(shape), salt) for name, shape in shapes.items()}


# ---- inputs ---------------------------------------------------------------------------


def tensor_input(name, shape, salt=""):
    """float32 tensor with mean 0 and variance 1, e.g. an already normalised image."""
    return unit("input/" + name, shape, salt).astype(np.float32)


def image_input(name, height, width, cell=23, salt=""):
    """uint8 RGB image (height, width, 3): flat random cells of `cell` pixels plus fine noise."""
    rows, cols = -(-height // cell), -(-width // cell)
    coarse = (_raw("input/" + name + "/coarse", rows * cols * 3, salt) >> np.uint64(57)).astype(np.int64)
    coarse = coarse.reshape(rows, cols, 3).repeat(cell, 0).repeat(cell, 1)[:height, :width]  # 0..127
    fine = (_raw("input/" + name + "/fine", height * width * 3, salt) >> np.uint64(58)).astype(np.int64)
    return (coarse + fine.reshape(height, width, 3) + 32).astype(np.uint8)  # 32..222


def wave_input(name, samples, channels=1, dc=0, smooth=5, hold=4000, salt=""):
    """int16 PCM (samples, channels) made in integer arithmetic only, so it is the same everywhere.

    White noise, summed over a sliding box of `smooth` samples (a crude low-pass), its
    loudness held constant for `hold` samples and then drawn again from 12 %..100 %, plus a
    constant `dc`.  Float samples are value / 32768, as a PCM-16 WAV reader returns them.
    """
    out = np.empty((samples, channels), np.int64)
    for c in range(channels):
        key = f"input/{name}/ch{c}"
        white = (_raw(key, samples + smooth, salt) >> np.uint64(50)).astype(np.int64) - 8192  # +-8192
        total = np.concatenate([[0], np.cumsum(white)])
        box = (total[smooth:] - total[:-smooth])[:samples]
        gain = (_raw(key + "/gain", -(-samples // hold), salt) >> np.uint64(61)).astype(np.int64) + 1
        out[:, c] = (box * gain.repeat(hold)[:samples]) // 16 + dc
    return np.clip(out, -32768, 32767).astype(np.int16)
