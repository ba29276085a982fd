"""References for the losses: random inputs, the loss and its gradients, by PyTorch and MONAI in float64.

Made with Python 3.11, torch 2.15.0, MONAI 1.6.1 and NumPy 2.4.6; `python make_loss_references.py` writes losses.json anew.
Written from the equations, not from this project's code: NT-Xent and the masked mean are loops over single items and voxels.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss, DiceLoss

HERE = Path(__file__).parent
random = np.random.default_rng(20)
cases = []


def tensor(values, learns=False):
    """Rounded to float32 first, since that is what the other side computes from."""
    return torch.tensor(np.asarray(values, np.float32).astype(np.float64), requires_grad=learns)


def record(loss, name, inputs, terms, options=None):
    """`inputs` that require a gradient get one of the term `total`."""
    terms["total"].backward()
    entry = {"loss": loss, "name": name, "options": options or {}, "inputs": {}, "gradients": {}}
    entry["terms"] = {key: float(value.detach()) for key, value in terms.items()}
    for key, value in inputs.items():
        integer = not value.is_floating_point()
        entry["inputs"][key] = {"shape": list(value.shape), "dtype": "int32" if integer else "float32", "values": value.flatten().tolist()}
        if value.requires_grad:
            gradient = torch.zeros_like(value) if value.grad is None else value.grad
            entry["gradients"][key] = gradient.flatten().tolist()
    cases.append(entry)


def reconstruction(name, distance, share):
    shape = (2, 3, 4, 2, 2)
    prediction, images = tensor(random.normal(size=shape), True), tensor(random.normal(size=shape))
    mask = tensor(random.random((*shape[:4], 1)) < share)
    total, count = prediction.sum() * 0, 0
    for b, d, h, w in np.ndindex(*shape[:4]):
        if mask[b, d, h, w, 0] == 1:
            for channel in range(shape[4]):
                difference = prediction[b, d, h, w, channel] - images[b, d, h, w, channel]
                total = total + (difference**2 if distance == "l2" else difference.abs())
                count += 1
    record("reconstruction", name, {"prediction": prediction, "images": images, "mask": mask}, {"total": total / max(count, 1)}, {"distance": distance})


def number(name, scale):
    logits, counts = tensor(scale * random.normal(size=(3, 4, 9)), True), torch.from_numpy(random.integers(0, 9, (3, 4)))
    record("number", name, {"logits": logits, "counts": counts}, {"total": F.cross_entropy(logits.reshape(12, 9), counts.reshape(12))})


def location(name, scale):
    logits, locations = tensor(scale * random.normal(size=(3, 4, 8)), True), tensor(random.random((3, 4, 8)) < 0.4)
    record("location", name, {"logits": logits, "locations": locations}, {"total": F.binary_cross_entropy_with_logits(logits, locations)})


def consistency(name, kind):
    numbers, locations = tensor(2 * random.normal(size=(3, 4, 9)), True), tensor(2 * random.normal(size=(3, 4, 8)), True)
    if kind == "soft":
        count = torch.sigmoid(locations).sum(-1)
        predicted = (torch.softmax(numbers, -1) * torch.arange(9)).sum(-1)
    else:
        count = (torch.sigmoid(locations) > 0.5).sum(-1).double()
        predicted = numbers.argmax(-1).double()
    target = count.detach().round().long()
    total = F.cross_entropy(numbers.reshape(12, 9), target.reshape(12)) + F.mse_loss(count, predicted)
    record("consistency", name, {"numbers": numbers, "locations": locations}, {"total": total}, {"kind": kind})


def contrast(name, batch, temperature):
    first, second = tensor(random.normal(size=(batch, 6)), True), tensor(random.normal(size=(batch, 6)), True)
    features = [*first, *second]
    total = first.sum() * 0
    for i in range(2 * batch):
        likeness = [F.cosine_similarity(features[i], features[j], dim=0) / temperature for j in range(2 * batch)]
        others = torch.stack([likeness[j] for j in range(2 * batch) if j != i])
        total = total - (likeness[(i + batch) % (2 * batch)] - torch.logsumexp(others, 0))
    record("contrast", name, {"first": first, "second": second}, {"total": total / (2 * batch)}, {"temperature": temperature})


def dice_cross_entropy(name, classes, absent):
    logits = tensor(2 * random.normal(size=(2, 3, 4, 2, classes)), True)
    labels = torch.from_numpy(random.integers(0, classes - absent, (2, 3, 4, 2)))
    channels_first = logits.movedim(-1, 1)
    total = DiceCELoss(to_onehot_y=True, softmax=True)(channels_first, labels[:, None])
    dice = DiceLoss(to_onehot_y=True, softmax=True)(channels_first, labels[:, None])
    record("diceCrossEntropy", name, {"logits": logits, "labels": labels}, {"total": total, "dice": dice, "crossEntropy": F.cross_entropy(channels_first, labels)})


def dice_binary(name, empty):
    logits = tensor(2 * random.normal(size=(2, 3, 4, 2, 3)), True)
    present = random.random((2, 3, 4, 2, 3)) < 0.3
    present[..., 2] &= not empty
    regions = tensor(present)
    dice = DiceLoss(sigmoid=True)(logits.movedim(-1, 1), regions.movedim(-1, 1))
    binary = torch.nn.BCEWithLogitsLoss()(logits, regions)
    record("diceBinaryCrossEntropy", name, {"logits": logits, "regions": regions}, {"total": dice + binary, "dice": dice, "binaryCrossEntropy": binary})


reconstruction("l2", "l2", 0.4)
reconstruction("l1", "l1", 0.4)
reconstruction("l2, all masked", "l2", 1.1)
reconstruction("l2, nothing masked", "l2", -1)
number("ordinary logits", 2)
number("logits of hundreds", 200)
location("ordinary logits", 2)
location("logits of hundreds", 200)
consistency("soft", "soft")
consistency("hard", "hard")
contrast("batch 2, temperature 0.5", 2, 0.5)
contrast("batch 5, temperature 0.5", 5, 0.5)
contrast("batch 4, temperature 0.07", 4, 0.07)
contrast("batch 4, temperature 2", 4, 2)
dice_cross_entropy("two classes", 2, 0)
dice_cross_entropy("four classes, of which one is nowhere", 4, 1)
dice_binary("three regions", False)
dice_binary("three regions, of which one is empty", True)
(HERE / "losses.json").write_text(json.dumps(cases) + "\n")
