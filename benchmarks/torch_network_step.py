"""Supervised training steps (Dice + cross-entropy, AdamW) of one network in PyTorch + MONAI, for comparison of time and memory.

Prints one line of JSON: {"setting", "stepSeconds": [..], "losses", "peakBytes", "torch", "monai", "threads"}.
"""
import argparse
import json
import resource
import time

import monai
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNETR, BasicUNet, SegResNet, SwinUNETR


def make_network(name, crop, outputs, feature_size):
    if name == "swin-unetr":
        return SwinUNETR(in_channels=1, out_channels=outputs, feature_size=feature_size or 48)
    if name == "unetr":
        return UNETR(in_channels=1, out_channels=outputs, img_size=(crop,) * 3, feature_size=feature_size or 16)
    if name == "seg-res-net":
        return SegResNet(in_channels=1, out_channels=outputs, init_filters=feature_size or 8)
    return BasicUNet(3, 1, outputs, (64, 64, 128, 256, 512, 64), act=("LeakyReLU", {"negative_slope": 0.1, "inplace": True}), dropout=0.1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=["swin-unetr", "unetr", "seg-res-net", "unet"], required=True)
    parser.add_argument("--crop", type=int, default=96)
    parser.add_argument("--classes", type=int, default=13)
    parser.add_argument("--feature-size", type=int, default=0)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--setting", choices=["plain", "channels_last", "compile"], default="plain")
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args()
    torch.manual_seed(0)
    model = make_network(args.network, args.crop, args.classes + 1, args.feature_size).train()
    images = torch.rand(1, 1, *(args.crop,) * 3)
    labels = (torch.arange(args.crop**3) % (args.classes + 1)).reshape(1, 1, *(args.crop,) * 3)
    if args.setting == "channels_last":
        model = model.to(memory_format=torch.channels_last_3d)
        images = images.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=1e-5)
    compare = DiceCELoss(to_onehot_y=True, softmax=True)
    step_model = torch.compile(model) if args.setting == "compile" else model
    seconds, losses = [], []
    for _ in range(args.steps + 1):
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bfloat16"):
            logits = step_model(images)
        loss = compare(logits.float(), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
    print(
        json.dumps(
            {
                "setting": f"{args.precision} {args.setting}",
                "stepSeconds": seconds[1:],  # the first one warms up, and compiles
                "losses": losses,
                "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "torch": torch.__version__,
                "monai": monai.__version__,
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
