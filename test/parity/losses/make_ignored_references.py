"""References for losses that leave voxels out: the loss of the other voxels alone, and its gradients, by PyTorch and MONAI in float64.

Made with Python 3.11, torch 2.15.0, MONAI 1.6.1 and NumPy 2.4.6; `python make_ignored_references.py` writes ignored.json anew.
Voxels that count are gathered item by item, so that nothing of the others can reach the loss; cross-entropy is PyTorch's with `ignore_index`.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from monai.losses import DiceLoss

HERE = Path(__file__).parent
random = np.random.default_rng(21)
cases = []


def tensor(values, learns=False):
    return torch.tensor(np.asarray(values, np.float32).astype(np.float64), requires_grad=learns)


def record(loss, name, inputs, terms):
    terms["total"].backward()
    entry = {"loss": loss, "name": name, "options": {}, "inputs": {}, "gradients": {}}
    entry["terms"] = {key: float(value.detach()) for key, value in terms.items()}
    for key, value in inputs.items():
        entry["inputs"][key] = {"shape": list(value.shape), "dtype": "float32" if value.is_floating_point() else "int32", "values": value.flatten().tolist()}
        if value.requires_grad:
            entry["gradients"][key] = value.grad.flatten().tolist()
    cases.append(entry)


def dice_of_counted(probabilities, targets, counted):
    """Mean over items of MONAI's Dice loss of the voxels that count, as [1, C, n]."""
    losses = []
    for b in range(len(counted)):
        pick = lambda t: t[b][counted[b]].T[None]
        losses.append(DiceLoss()(pick(probabilities), pick(targets)) if counted[b].any() else probabilities.sum() * 0)
    return torch.stack(losses).mean()


def masks(shape):
    some = random.random(shape) < 0.6
    item = some.copy()
    item[1] = False
    return {"some voxels ignored": some, "an item ignored": item, "everything ignored": np.zeros(shape, bool), "nothing ignored": np.ones(shape, bool)}


for name, mask in masks((2, 3, 2, 2)).items():
    counted = torch.from_numpy(mask)
    logits = tensor(2 * random.normal(size=(2, 3, 2, 2, 4)), True)
    labels = torch.from_numpy(np.where(mask, random.integers(0, 4, mask.shape), -1))
    one_hot = F.one_hot(labels.clamp(min=0), 4).double()
    dice = dice_of_counted(logits.softmax(-1), one_hot, counted)
    ce = F.cross_entropy(logits.reshape(-1, 4), labels.reshape(-1), ignore_index=-1, reduction="sum") / max(1, int(counted.sum()))
    record("ignoredDiceCrossEntropy", name, {"logits": logits, "labels": labels}, {"total": dice + ce, "dice": dice, "crossEntropy": ce})

for name, mask in masks((2, 3, 2, 2)).items():
    counted = torch.from_numpy(mask)
    logits = tensor(2 * random.normal(size=(2, 3, 2, 2, 3)), True)
    inside = (random.random((2, 3, 2, 2, 3)) < 0.4).astype(np.float64)
    regions = torch.from_numpy(np.where(mask[..., None], inside, -1))
    dice = dice_of_counted(logits.sigmoid(), regions, counted)
    bce = F.binary_cross_entropy_with_logits(logits[counted], regions[counted], reduction="sum") / max(1, 3 * int(counted.sum()))
    record("ignoredDiceBinaryCrossEntropy", name, {"logits": logits, "regions": regions}, {"total": dice + bce, "dice": dice, "binaryCrossEntropy": bce})

(HERE / "ignored.json").write_text(json.dumps(cases))
