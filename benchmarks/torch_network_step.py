"""Supervised training steps (Dice + cross-entropy, AdamW) of one network in PyTorch + MONAI, for comparison of time and memory.

Prints one line of JSON, as torch_timing.py says.
"""
import argparse

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNETR, SegResNet, SwinUNETR
from torch_timing import print_timed_steps


def make_network(name, crop, outputs, width=48):
    """As MONAI has it by default; `width` is SwinUNETR's."""
    if name == "swin-unetr":
        return SwinUNETR(in_channels=1, out_channels=outputs, feature_size=width)
    if name == "unetr":
        return UNETR(in_channels=1, out_channels=outputs, img_size=(crop,) * 3)
    return SegResNet(in_channels=1, out_channels=outputs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=["swin-unetr", "unetr", "seg-res-net"], required=True)
    parser.add_argument("--crop", type=int, default=96)
    parser.add_argument("--classes", type=int, default=13)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--setting", choices=["plain", "channels_last", "compile"], default="plain")
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args()
    torch.manual_seed(0)
    model = make_network(args.network, args.crop, args.classes + 1).train()
    images = torch.rand(1, 1, *(args.crop,) * 3)
    labels = (torch.arange(args.crop**3) % (args.classes + 1)).reshape(1, 1, *(args.crop,) * 3)
    if args.setting == "channels_last":
        model = model.to(memory_format=torch.channels_last_3d)
        images = images.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=1e-5)
    compare = DiceCELoss(to_onehot_y=True, softmax=True)
    step_model = torch.compile(model) if args.setting == "compile" else model

    def loss_of():
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bfloat16"):
            logits = step_model(images)
        return compare(logits.float(), labels)

    print_timed_steps(args, loss_of, optimizer)


if __name__ == "__main__":
    main()
