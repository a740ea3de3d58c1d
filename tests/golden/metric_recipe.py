"""The inputs that belong to metrics_public.json, rebuilt from (seed, size, kind) with numpy only.

Only RandomState draws and basic IEEE arithmetic are used (+ - * / floor compare), never exp, pow or a resize, so the
arrays are the same to the bit on every platform. metrics_public.json holds what the published evaluation code
printed for them; its "meta" names repositories and commits.
"""

from __future__ import annotations

import numpy as np

F32 = np.float32


def _geometry(seed, h, w):
    """All draws of a frame, always in this order."""
    rs = np.random.RandomState(seed)
    g = {
        "cy": h * rs.uniform(0.25, 0.75),
        "cx": w * rs.uniform(0.25, 0.75),
        "ry": h * rs.uniform(0.10, 0.30),
        "rx": w * rs.uniform(0.10, 0.30),
        "dy": h * rs.uniform(-0.15, 0.15),
        "dx": w * rs.uniform(-0.15, 0.15),
        "s": rs.uniform(0.7, 1.3),
        "noise": rs.uniform(0.0, 1.0, (h, w)),
        "noise2": rs.uniform(0.0, 1.0, (h, w)),
    }
    g["yy"], g["xx"] = np.mgrid[0:h, 0:w].astype(np.float64)
    return g


def _quad(g, cy, cx, ry, rx):
    a, b = (g["yy"] - cy) / ry, (g["xx"] - cx) / rx
    return a * a + b * b


def gt_mask(seed, h, w, kind):
    """(h, w) uint8 of 0 and 1."""
    g = _geometry(seed, h, w)
    q = _quad(g, g["cy"], g["cx"], g["ry"], g["rx"])
    m = np.zeros((h, w), bool)
    if kind == "ellipse":
        m = q <= 1.0
    elif kind == "rect":
        m = (np.abs(g["yy"] - g["cy"]) <= g["ry"]) & (np.abs(g["xx"] - g["cx"]) <= g["rx"])
    elif kind == "ring":
        m = (q <= 1.0) & (q > 0.25)
    elif kind == "two":
        m = (q <= 1.0) | (q <= 1.0)[::-1, ::-1]
    elif kind == "line":
        m[int(g["cy"]), :] = True
    elif kind == "tiny":
        m[int(g["cy"]), int(g["cx"])] = True
    elif kind == "noise":
        m = g["noise2"] < 0.3
    elif kind == "full":
        m[:] = True
    elif kind != "empty":
        raise ValueError(kind)
    return m.astype(np.uint8)


def score_map(seed, h, w, kind, gt_kind="ellipse"):
    """(h, w) float32 in [0, 1], around the shape of ``gt_mask``."""
    g = _geometry(seed, h, w)
    q = _quad(g, g["cy"] + g["dy"], g["cx"] + g["dx"], g["s"] * g["ry"], g["s"] * g["rx"])
    base = 1.0 / (1.0 + q)
    smooth = 0.85 * base + 0.15 * g["noise"]
    if kind in ("perfect", "blend", "inverse"):
        gt = gt_mask(seed, h, w, gt_kind)
        return {"perfect": gt, "blend": 0.6 * gt + 0.4 * smooth, "inverse": 1 - gt}[kind].astype(F32)
    if kind in ("q8", "q254", "step4"):  # grids: 8 bit; ties with the thresholds; ties at 0.5
        steps = {"q8": 255, "q254": 254, "step4": 4}[kind]
        return np.floor(smooth * steps + 0.5).astype(F32) / F32(steps)
    return {
        "smooth": smooth,
        "raw": base,
        "uniform": g["noise"],
        "lowmax": 0.45 * smooth,
        "binary": q <= 1.0,
        "binary_big": q <= 4.0,
        "binary_small": q <= 0.25,
        "zeros": np.zeros((h, w)),
        "ones": np.ones((h, w)),
        "half": np.full((h, w), 0.5),
    }[kind].astype(F32)


def frame(seed, h, w, pred_kind, gt_kind):
    """Score map and target of one frame."""
    return score_map(seed, h, w, pred_kind, gt_kind), gt_mask(seed, h, w, gt_kind)


def to_logits(score):
    """A fixed float32 map from scores to logits, not the inverse sigmoid."""
    return (score * F32(12) - F32(6)).astype(F32)


def video(base, v, h, w, kinds):
    """(T, h, w) score maps and targets; ``kinds`` holds a (prediction, target) kind per frame."""
    frames = [frame(base + 1000 * v + t, h, w, p, g) for t, (p, g) in enumerate(kinds)]
    return np.stack([f[0] for f in frames]), np.stack([f[1] for f in frames])


def label_frame(seed, h, w, nclass, classes, kind, ignore_rows=0):
    """(prediction, target), (h, w) int64 label maps; the last ``ignore_rows`` rows of the target are 255."""
    rs = np.random.RandomState(seed)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float64)
    gt = np.zeros((h, w), np.int64)
    for c in classes:
        cy, cx = h * rs.uniform(0.2, 0.8), w * rs.uniform(0.2, 0.8)
        ry, rx = h * rs.uniform(0.12, 0.3), w * rs.uniform(0.12, 0.3)
        a, b = (yy - cy) / ry, (xx - cx) / rx
        gt[a * a + b * b <= 1.0] = c
    sy, sx = int(rs.randint(1, 4)), int(rs.randint(1, 4))
    extra = int(rs.randint(1, nclass))
    noise = rs.uniform(0.0, 1.0, (h, w))
    rnd = rs.randint(0, nclass, (h, w))
    pred = gt.copy()
    if kind == "shift":
        pred = np.roll(np.roll(gt, sy, 0), sx, 1)
    elif kind == "background":
        pred = np.zeros_like(gt)
    elif kind == "drop":
        pred = np.where(gt == classes[0], 0, gt) if classes else gt.copy()
    elif kind == "swap":
        pred = np.where(gt > 0, gt % (nclass - 1) + 1, 0)
    elif kind == "extra":
        pred[: h // 4, : w // 4] = extra
    elif kind == "noise":
        pred = np.where(noise < 0.2, rnd, gt)
    elif kind != "perfect":
        raise ValueError(kind)
    out = gt.copy()
    if ignore_rows:
        out[h - ignore_rows :, :] = 255
    return pred.astype(np.int64), out


def one_hot_logits(pred, nclass):
    """(N, h, w) labels to (N, C, h, w) float32, 10 at the label and 0 elsewhere."""
    return (pred[:, None] == np.arange(nclass)[:, None, None]).astype(F32) * F32(10)


def gray_image(seed, h, w, kind, gt_kind="ellipse"):
    """(h, w) uint8 mask image: 0 and 255 ("hard"), or blurred as JPEG leaves it ("soft")."""
    m = gt_mask(seed, h, w, gt_kind)
    if kind == "hard":
        return (m * 255).astype(np.uint8)
    p = np.pad(m.astype(np.float64), 1, mode="edge")
    acc = sum(p[i : i + h, j : j + w] for i in range(3) for j in range(3)) / 9.0
    return np.floor(acc * 255 + 0.5).astype(np.uint8)
