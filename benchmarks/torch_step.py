"""One HybridMIM(UNet) step in PyTorch + MONAI: the same network, losses and optimizer as src/, for comparison of time and memory.

Where RANK is set, one rank of several, by DistributedDataParallel and gloo. Prints one line of JSON, as torch_timing.py says.
"""
import argparse
import os

import torch
import torch.nn.functional as F
from monai.networks.nets import BasicUNet
from torch_timing import print_timed_steps


class HybridMimUNet(torch.nn.Module):
    def __init__(self, crop, region, features, dropout, sub_volume=32, patch=16):
        super().__init__()
        activation = ("LeakyReLU", {"negative_slope": 0.1, "inplace": True})
        self.net = BasicUNet(3, 1, 1, features, act=activation, dropout=dropout)
        self.side = sub_volume // patch
        self.n = self.side**3
        self.number = torch.nn.Linear(features[4], self.n + 1)
        self.location = torch.nn.Linear(features[4], self.n)
        self.patch, self.margin, self.region = patch, (crop - region) // 2, region

    def crop(self, x, level):
        m, r = self.margin // 2**level, self.region // 2**level
        return x[:, :, m : m + r, m : m + r, m : m + r]

    def forward(self, images, patch_mask, locations, counts):
        mask = patch_mask
        for axis in (2, 3, 4):
            mask = mask.repeat_interleave(self.patch, axis)
        net = self.net
        x0 = net.conv_0(images * (1 - mask))
        x1 = net.down_1(x0)
        x2 = net.down_2(x1)
        x3 = net.down_3(x2)
        x4 = net.down_4(x3)
        u4 = net.upcat_4(self.crop(x4, 4), self.crop(x3, 3))
        u3 = net.upcat_3(u4, self.crop(x2, 2))
        u2 = net.upcat_2(u3, self.crop(x1, 1))
        u1 = net.upcat_1(u2, self.crop(x0, 0))
        prediction = net.final_conv(u1).float()
        region_mask = self.crop(mask, 0)
        difference = (prediction - self.crop(images, 0)) * region_mask
        reconstruction = difference.square().sum() / region_mask.sum().clamp(min=1)
        cells = F.avg_pool3d(x4.float(), self.side).flatten(2).transpose(1, 2)  # [B, S, C]
        number_logits = self.number(cells).float()
        location_logits = self.location(cells).float()
        number = F.cross_entropy(number_logits.flatten(0, 1), counts.flatten())
        location = F.binary_cross_entropy_with_logits(location_logits, locations)
        count = location_logits.sigmoid().sum(-1)
        classes = torch.arange(self.n + 1, dtype=torch.float32)
        expected = (number_logits.softmax(-1) * classes).sum(-1)
        target = count.detach().round().long()
        consistency = F.cross_entropy(number_logits.flatten(0, 1), target.flatten()) + (count - expected).square().mean()
        total = reconstruction + 0.1 * number + 0.1 * location + 0.01 * consistency
        return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crop", type=int, default=96)
    parser.add_argument("--region", type=int, default=64)
    parser.add_argument("--features", type=int, nargs=6, default=[64, 64, 128, 256, 512, 64])
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--setting", choices=["plain", "channels_last", "compile"], default="plain")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = HybridMimUNet(args.crop, args.region, args.features, 0.1).train()
    images = torch.rand(1, 1, args.crop, args.crop, args.crop)
    if args.setting == "channels_last":
        model = model.to(memory_format=torch.channels_last_3d)
        images = images.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=1e-5)
    step_model = torch.compile(model) if args.setting == "compile" else model
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
        step_model = torch.nn.parallel.DistributedDataParallel(step_model)
    patches, subs = args.crop // 16, args.crop // 32
    mask = torch.zeros(patches**3)
    mask[torch.randperm(patches**3)[: round(0.4 * patches**3)]] = 1
    mask = mask.reshape(1, 1, patches, patches, patches)
    locations = mask.reshape(1, subs, 2, subs, 2, subs, 2).permute(0, 1, 3, 5, 2, 4, 6).reshape(1, subs**3, 8)
    counts = locations.sum(-1).long()

    def loss_of():
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bfloat16"):
            return step_model(images, mask, locations, counts)

    print_timed_steps(args, loss_of, optimizer)


if __name__ == "__main__":
    main()
