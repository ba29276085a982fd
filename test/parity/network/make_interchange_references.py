"""References for SegResNet, UNETR and SwinUNETR: MONAI's own state dicts, logits and gradients.

Made with Python 3.11, torch 2.15.0, MONAI 1.6.1 and NumPy 2.4.6.

  python make_interchange_references.py         writes interchange-*.json beside this script anew
  python make_interchange_references.py layers  only counts: interchange-layers.json
  python make_interchange_references.py swin-unetr-before   that case alone: it is made by MONAI 1.4.0, which merged tokens in another order
  python make_interchange_references.py choose CASE  looks for the first salt on which PyTorch's float32 keeps within STEADY of its float64

Weights, images and labels are integer hashes (make_network_references.py), written again in test/network/interchange.ts from the names and
shapes of MONAI's state dict in each file, so that no file holds millions of random numbers. All is computed in float64.

An `interchange-CASE.json` holds the state dict's shapes; logits of every STRIDE-th voxel in raster order; the largest logit; and for every
parameter the largest value, the Euclidean norm and up to SAMPLES evenly spaced values of the gradient of DiceCELoss(to_onehot_y, softmax).
`float32` says how far PyTorch's own float32 is from it, relative to the largest of each array. Where the sign of a ReLU's input is a matter
of the last bits, gradients jump by up to 2e-2; `choose` finds a salt where none is. SwinUNETR has some four million such inputs even at the
smallest size that MONAI takes, and always a few of them there. So the files say of each gradient how far it strays (`stray`) in float64 when every
weight is disturbed by NOISE, which no float32 implementation can be closer than. Left out is a 1x1x1 convolution of one channel before an instance norm (`is_cancelled`), which takes any scale away again:
its gradient is 0 but for the norm's epsilon.
"""

import inspect
import json
import sys
import zlib
from pathlib import Path

import monai
import numpy as np
import torch
from make_network_references import hash32, hash_of, image
from monai.losses import DiceCELoss
from monai.networks.nets import UNETR, BasicUNet, SegResNet, SwinUNETR

HERE = Path(__file__).parent
CLASSES = 3
STRIDE = 211
SAMPLES = 24
STEADY = 1e-4
NOISE = 1e-6  # relative, of every weight: some ten roundings of float32
NOISY_RUNS = 3
# name: network, our settings, [B, x, y, z], channels, salt
CASES = {
    "seg-res-net-1": ("seg-res-net", {"initFilters": 8, "blocksDown": [1, 2, 2, 4], "blocksUp": [1, 1, 1], "normGroups": 8}, [1, 32, 32, 32], 1, 3),
    "seg-res-net-4": ("seg-res-net", {"initFilters": 12, "blocksDown": [2, 1, 1], "blocksUp": [1, 2], "normGroups": 4}, [2, 28, 20, 36], 4, 5),
    "unetr-1": ("unetr", {"imageSize": [32, 32, 32], "featureSize": 4, "hiddenSize": 24, "mlpDim": 40, "numHeads": 3}, [1, 32, 32, 32], 1, 2),
    "unetr-4": ("unetr", {"imageSize": [32, 16, 48], "featureSize": 6, "hiddenSize": 16, "mlpDim": 24, "numHeads": 4}, [2, 32, 16, 48], 4, 4),
    "swin-unetr-1": ("swin-unetr", {"featureSize": 12, "depths": [2, 2, 2, 2], "numHeads": [3, 3, 6, 12], "window": [7, 7, 7]}, [1, 32, 64, 64], 1, 0),
    "swin-unetr-v2": ("swin-unetr", {"featureSize": 12, "depths": [1, 1, 1, 1], "numHeads": [3, 3, 6, 12], "window": [3, 4, 5], "version": 2, "merging": "mergingv2"}, [1, 96, 32, 64], 2, 1),
    "swin-unetr-before": ("swin-unetr", {"featureSize": 12, "depths": [1, 2, 1, 1], "numHeads": [3, 3, 6, 12], "window": [7, 7, 7], "merging": "merging-before-1.5"}, [1, 64, 32, 64], 2, 1),
    "swin-unetr-4": ("swin-unetr", {"featureSize": 12, "depths": [2, 1, 3, 2], "numHeads": [2, 3, 4, 6], "window": [3, 4, 5]}, [1, 32, 32, 64], 4, 0),
}


def network(name, settings, channels, classes=CLASSES):
    s = settings
    if name == "unet":  # its references are make_network_references.py's
        return BasicUNet(3, channels, classes, s["features"], act=("LeakyReLU", {"negative_slope": 0.1, "inplace": True}))
    if name == "seg-res-net":
        norm = ("GROUP", {"num_groups": s["normGroups"]})
        return SegResNet(3, s["initFilters"], channels, classes, norm=norm, blocks_down=s["blocksDown"], blocks_up=s["blocksUp"])
    if name == "unetr":
        return UNETR(channels, classes, s["imageSize"], s["featureSize"], s["hiddenSize"], s["mlpDim"], s["numHeads"])
    options = {"use_v2": s.get("version") == 2, "downsample": "mergingv2" if s.get("merging") == "mergingv2" else "merging"}
    before = "img_size" in inspect.signature(SwinUNETR).parameters  # MONAI 1.4 asked for a size, which it only checked, and took windows of 7 alone
    if before != (s.get("merging") == "merging-before-1.5"):
        raise SystemExit("cases of merging-before-1.5 are made by MONAI 1.4.0, all others by 1.6.1")
    options |= {"img_size": (64, 64, 64)} if before else {"window_size": s["window"]}
    return SwinUNETR(in_channels=channels, out_channels=classes, depths=s["depths"], num_heads=s["numHeads"], feature_size=s["featureSize"], **options)


def weight(name, shape):
    """Uniform values by the integer hash of the name and of the place in raster order, of about PyTorch's own size."""
    places = np.arange(int(np.prod(shape)), dtype=np.uint32)
    uniform = hash32(places * np.uint32(2654435761) + np.uint32(zlib.crc32(name.encode()))) / 2**31 - 1
    if len(shape) == 1:
        values = 1 + 0.3 * uniform if name.endswith(".weight") else 0.3 * uniform
    elif name.endswith(("position_embeddings", "bias_table")):
        values = 0.5 * uniform
    else:
        values = uniform * np.sqrt(3 / np.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def labels(salt, batch, size):
    b, d, h, w = np.meshgrid(*map(np.arange, (batch, *size)), indexing="ij")
    return torch.from_numpy((hash_of(3, salt, b, d // 5, h // 5, w // 5) % CLASSES).astype(np.int64)[:, None])


def computed(model, images, target):
    model.zero_grad()
    logits = model(images)
    DiceCELoss(to_onehot_y=True, softmax=True)(logits, target).backward()
    result = {"logits": logits.detach().double()}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            result[name] = parameter.grad.double()
    return result


def sampled(values):
    flat = values.flatten()
    return flat[:: max(1, -(-flat.numel() // SAMPLES))]


def rounded(values):
    return [float(f"{float(value):.7g}") for value in values]


def is_cancelled(name, channels):
    return channels == 1 and name == "encoder1.layer.conv3.conv.weight"


def reference_of(name, settings, shape, channels, salt):
    """The model in float64, what it gives, and how far its float32 is from that."""
    batch, *size = shape
    model = network(name, settings, channels)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            parameter.copy_(weight(parameter_name, parameter.shape))
    images, target = image(salt, 0, batch, channels, size), labels(salt, batch, size)
    single = computed(model, images, target)
    reference = computed(model.double(), images.double(), target)
    strays = {n: float((single[n] - value).abs().max() / value.abs().max()) for n, value in reference.items() if not is_cancelled(n, channels)}
    float32 = {"logits": strays.pop("logits"), "gradient": max(strays.values())}
    return model, reference, float32, [float(images.double().mean()), float(target.double().mean())]


def noise_strays(model, reference, images, target):
    """Largest change of every gradient, relative to its largest value, when the weights are disturbed."""
    kept = {n: p.detach().clone() for n, p in model.named_parameters()}
    worst = {n: 0.0 for n in reference}
    for run in range(NOISY_RUNS):
        generator = torch.Generator().manual_seed(run)
        with torch.no_grad():
            for n, p in model.named_parameters():
                p.copy_(kept[n] * (1 + NOISE * (2 * torch.rand(p.shape, generator=generator, dtype=p.dtype) - 1)))
        for n, g in computed(model, images, target).items():
            if n in worst:
                worst[n] = max(worst[n], float((g - reference[n]).abs().max() / reference[n].abs().max()))
    return worst


def choose(key):
    name, settings, shape, channels, _ = CASES[key]
    for salt in range(100):
        float32 = reference_of(name, settings, shape, channels, salt)[2]
        print(key, "salt", salt, float32, flush=True)
        if float32["gradient"] < STEADY:
            return


def case(key, name, settings, shape, channels, salt):
    model, reference, float32, means = reference_of(name, settings, shape, channels, salt)
    logits = reference.pop("logits")
    batch, *size = shape
    images, target = image(salt, 0, batch, channels, size).double(), labels(salt, batch, size)
    stray = noise_strays(model, reference, images, target)
    content = {"network": name, "settings": settings, "shape": shape, "channels": channels, "classes": CLASSES, "salt": salt, "stride": STRIDE}
    content["samples"] = SAMPLES
    content["state"] = {n: list(v.shape) for n, v in model.state_dict().items()}
    content["means"] = means
    content["largestLogit"] = float(logits.abs().max())
    content["logits"] = rounded(logits.movedim(1, -1).reshape(-1, CLASSES)[::STRIDE].flatten())
    content["gradients"] = {n: {"largest": float(g.abs().max()), "norm": float(g.norm()), "samples": rounded(sampled(g)), "stray": stray[n]} for n, g in reference.items()}
    content["float32"] = float32
    content["versions"] = {"torch": torch.__version__, "monai": monai.__version__}
    print(key, float32, "largest logit", content["largestLogit"], flush=True)
    (HERE / f"interchange-{key}.json").write_text(json.dumps(content) + "\n")


def layers():
    """Names, shapes and numbers of parameters at MONAI's (of SwinUNETR the published) sizes."""
    content = {}
    full = {
        "seg-res-net": ({"initFilters": 8, "blocksDown": [1, 2, 2, 4], "blocksUp": [1, 1, 1], "normGroups": 8}, 1, 2),
        "unetr": ({"imageSize": [96, 96, 96], "featureSize": 16, "hiddenSize": 768, "mlpDim": 3072, "numHeads": 12}, 1, 14),
        "swin-unetr": ({"featureSize": 48, "depths": [2, 2, 2, 2], "numHeads": [3, 6, 12, 24], "window": [7, 7, 7]}, 1, 14),
    }
    for name, (settings, channels, classes) in full.items():
        model = network(name, settings, channels, classes)
        content[name] = {"settings": settings, "channels": channels, "classes": classes}
        content[name]["parameters"] = sum(p.numel() for p in model.parameters())
        content[name]["state"] = {n: list(v.shape) for n, v in model.state_dict().items()}
    (HERE / "interchange-layers.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["choose"]:
        choose(sys.argv[2])
        sys.exit()
    if sys.argv[1:] in ([], ["layers"]):
        layers()
    if sys.argv[1:] != ["layers"]:
        for key in sys.argv[1:] or [key for key in CASES if key != "swin-unetr-before"]:
            case(key, *CASES[key])
