"""References for the UNet, its weight files and AdamW, from MONAI's BasicUNet and PyTorch.

Made with Python 3.11, torch 2.15.0, MONAI 1.6.1, safetensors 0.8.0 and NumPy 2.4.6.

  python make_network_references.py               writes every file beside this script anew
  python make_network_references.py only CASE     writes the file of one case of CASES anew
  python make_network_references.py choose CASE   looks for a SALT that makes a case of CASES well conditioned, from 0 up
  python make_network_references.py check FILE N  loads FILE, written by this project for N input channels and FEATURES below, into
                                                  BasicUNet with strict=True and says how far its values are from the reference's

Images and labels are not stored: `image` and `label` below are integer hashes, written again in test/network/unet-parity.ts.
Weights are stored, as safetensors writes them, so that reading a file made in Python is part of the test.

A `case-*.safetensors` holds, for one input size, all in MONAI's names and layouts, computed in float64 and stored in float32:
  gradient.NAME   of DiceCELoss(to_onehot_y, softmax) on the first batch with respect to every parameter
  after.NAME      every parameter after ten steps of torch.optim.AdamW, on ten batches
  logits, logits-after   of the first batch before and after those steps: every STRIDE-th voxel in raster order, [B * voxels / STRIDE, classes]
  planes-0..2     mean logits of every plane across each spatial axis, [B, classes, planes]
  losses          the loss before each of the ten steps
and in its metadata, how far PyTorch's own float32 comes out from it with one thread, with two and without oneDNN.

Why the cases are chosen: training has kinks. Where the largest of a pooling block, or the sign of a leaky ReLU's input, is a matter of
the last bits, float32 takes one side or the other by chance, the gradient jumps, and Adam, which divides a gradient by its own size,
turns a jump in a small gradient into a step of a learning rate. With MONAI's own start, on about half of all inputs PyTorch's float32
leaves its float64 by 1e-4 to 1e-2 within ten steps. No implementation can be held to 1e-4 there. So each case takes the first salt for
which the float64 run stays put when every convolution and norm, forward and backward, is disturbed by noise of three times float32's
rounding (NOISY_RUNS draws). Three things leave fewer kinks and smaller jumps to begin with: shifts of the norms that are larger than their
scales, of either sign, so that most inputs of a leaky ReLU are clear of 0; a new batch every step, as in training, so that hardly an
element has only gradients near 0; and a learning rate that warms up to the product's 1e-4.
"""

import json
import sys
from pathlib import Path

import monai
import numpy as np
import safetensors
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet
from safetensors import safe_open
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
FEATURES = (3, 4, 5, 6, 8, 2)
CLASSES = 3
STRIDE = 53
LEARNING_RATES = [1e-5 * step for step in range(1, 11)]
WEIGHT_DECAY = 1.0  # so large that ten such small steps show it
NOISE = 3e-7  # of a layer's standard deviation; 1e-7 strays as far as float32 does
NOISY_RUNS = 5
STEADY = 3e-5  # a third of what the tests allow
ACTIVATION = ("LeakyReLU", {"negative_slope": 0.1, "inplace": True})
POOLS = (2, 2, 2, 2)  # BasicUNet's own
# name: input channels, [B, x, y, z], salt, pools
CASES = {
    "1-channel-even": (1, [1, 32, 48, 32], 2, POOLS),
    "1-channel-odd": (1, [1, 37, 33, 46], 0, POOLS),
    "4-channels-even": (4, [2, 32, 32, 32], 1, POOLS),
    "4-channels-odd": (4, [1, 33, 47, 36], 1, POOLS),
    "pools-2221": (4, [2, 33, 32, 30], 0, (2, 2, 2, 1)),
}


def network(channels, features=FEATURES, classes=CLASSES, dropout=0.0, pools=POOLS):
    """BasicUNet; where a pool is 1, its level is not pooled, and the transposed convolution above it has kernel and stride 1."""
    model = BasicUNet(3, channels, classes, features, act=ACTIVATION, dropout=dropout)
    for level, pool in enumerate(pools, start=1):
        if pool == 1:
            getattr(model, f"down_{level}").max_pooling = torch.nn.Identity()
            upsample = getattr(model, f"upcat_{level}").upsample
            upsample.deconv = torch.nn.ConvTranspose3d(upsample.deconv.in_channels, upsample.deconv.out_channels, 1, 1)
    return model


def hash32(x):
    """MurmurHash3's finaliser on uint32."""
    x = np.asarray(x, np.uint32)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def hash_of(salt, *coordinates):
    code = np.uint32(salt)
    for coordinate in np.broadcast_arrays(*coordinates):
        code = hash32(np.asarray(code) * np.uint32(31) + coordinate.astype(np.uint32) + np.uint32(1))
    return code


def block(salt, step, b, c, d, h, w):
    """Blocks of side 5, in [0, 1)."""
    return hash_of(1, salt, step, b, c, d // 5, h // 5, w // 5) / 2**32


def image(salt, step, batch, channels, size):
    """Blocks and a third as much noise: [B, C, D, H, W]."""
    b, c, d, h, w = np.meshgrid(*map(np.arange, (batch, channels, *size)), indexing="ij")
    noise = hash_of(2, salt, step, b, c, d, h, w) / 2**32
    return torch.from_numpy((block(salt, step, b, c, d, h, w) + noise / 3).astype(np.float32))


def label(salt, step, batch, size):
    """The class of each voxel's block in the first channel: [B, 1, D, H, W] in 0..CLASSES - 1."""
    b, d, h, w = np.meshgrid(*map(np.arange, (batch, *size)), indexing="ij")
    return torch.from_numpy(np.floor(CLASSES * block(salt, step, b, 0 * b, d, h, w)).astype(np.int64)[:, None])


def initial(channels, pools):
    """MONAI's own start, but scales and shifts away from one and zero, so that mixing them up shows; whole channels of either sign."""
    torch.manual_seed(channels)
    model = network(channels, pools=pools)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith(".adn.N.weight"):
                value.copy_(0.4 + 0.2 * torch.rand_like(value))
            if name.endswith(".adn.N.bias"):
                value.copy_((0.6 + 0.4 * torch.rand_like(value)) * torch.where(torch.rand_like(value) < 0.5, -1.0, 1.0))
    return model


class Disturb(torch.autograd.Function):
    """Noise on the way forward and on the way back, relative to the standard deviation."""

    @staticmethod
    def forward(context, x, generator):
        context.generator = generator
        return x + NOISE * x.detach().std() * torch.randn(x.shape, generator=generator, dtype=x.dtype)

    @staticmethod
    def backward(context, gradient):
        noise = torch.randn(gradient.shape, generator=context.generator, dtype=gradient.dtype)
        return gradient + NOISE * gradient.std() * noise, None


def disturbed(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (torch.nn.Conv3d, torch.nn.ConvTranspose3d, torch.nn.InstanceNorm3d)):
            module.register_forward_hook(lambda _, inputs, output: Disturb.apply(output, generator))
    return model


def trained(model, channels, shape, salt):
    """Logits and gradient on the first batch, ten steps of AdamW, logits of the first batch again; in the type of the model."""
    batch, *size = shape
    dtype = next(model.parameters()).dtype
    first, loss_of = image(salt, 0, batch, channels, size).to(dtype), DiceCELoss(to_onehot_y=True, softmax=True)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    result, losses = {}, []
    for step, learning_rate in enumerate(LEARNING_RATES):
        optimizer.param_groups[0]["lr"] = learning_rate
        optimizer.zero_grad()
        logits = model(image(salt, step, batch, channels, size).to(dtype))
        loss = loss_of(logits, label(salt, step, batch, size))
        loss.backward()
        if step == 0:
            result["logits"] = logits.detach()
            result |= {f"gradient.{name}": value.grad.clone() for name, value in model.named_parameters()}
        optimizer.step()
        losses.append(loss.detach())
    result |= {f"after.{name}": value.detach().clone() for name, value in model.named_parameters()}
    return result | {"logits-after": model(first).detach(), "losses": torch.stack(losses)}


def is_cancelled(name):
    """A bias before an instance norm, which takes it away again: its gradient is 0 but for rounding, and Adam moves it at random."""
    return ".conv_0.conv.bias" in name or ".conv_1.conv.bias" in name


def strays(result, reference):
    """Largest difference of any array of each kind, relative to the largest value of that array."""
    worst = {}
    for name, expected in reference.items():
        if is_cancelled(name):
            continue
        kind = name.split(".")[0]
        error = float((result[name].double() - expected).abs().max() / expected.abs().max())
        worst[kind] = max(worst.get(kind, 0), error)
    return worst


def is_steady(channels, shape, salt, pools):
    reference = trained(initial(channels, pools).double(), channels, shape, salt)
    for seed in range(NOISY_RUNS):
        worst = strays(trained(disturbed(initial(channels, pools).double(), seed), channels, shape, salt), reference)
        print("salt", salt, "noise", seed, worst, flush=True)
        if worst["gradient"] > 1e-4 or max(error for kind, error in worst.items() if kind != "gradient") > STEADY:
            return False
    return True


def choose(name):
    channels, shape, _, pools = CASES[name]
    print(name, "is steady with salt", next(salt for salt in range(1000) if is_steady(channels, shape, salt, pools)))


def float32_strays(reference, channels, shape, salt, pools):
    """How far PyTorch's own float32 is from the reference, computed in three orders."""
    found = {}
    for name, threads, onednn in (("1 thread", 1, True), ("2 threads", 2, True), ("without oneDNN", 1, False)):
        torch.set_num_threads(threads)
        with torch.backends.mkldnn.flags(enabled=onednn):
            found[name] = strays(trained(initial(channels, pools), channels, shape, salt), reference)
    torch.set_num_threads(1)
    return found


def sampled(logits):
    return logits.movedim(1, -1).reshape(-1, logits.shape[1])[::STRIDE]


def weights_file(channels, pools):
    return f"weights-{channels}{'' if pools == POOLS else '-pools-' + ''.join(map(str, pools))}.safetensors"


def write_weights(channels, pools):
    save_file(initial(channels, pools).state_dict(), HERE / weights_file(channels, pools), metadata={"made": "by safetensors in Python"})


def case(name, channels, shape, salt, pools):
    batch, *size = shape
    reference = trained(initial(channels, pools).double(), channels, shape, salt)
    float32 = float32_strays(reference, channels, shape, salt, pools)
    print(name, "losses", [round(float(loss), 5) for loss in reference["losses"]], "float32", float32)
    result = reference | {"logits": sampled(reference["logits"]), "logits-after": sampled(reference["logits-after"])}
    for axis in range(3):
        result[f"planes-{axis}"] = reference["logits"].mean([2 + other for other in range(3) if other != axis])
    first = {"image": image(salt, 0, batch, channels, size), "label": label(salt, 0, batch, size)}
    last = {"image": image(salt, 9, batch, channels, size), "label": label(salt, 9, batch, size)}
    means = {key: [float(first[key].double().mean()), float(last[key].double().mean())] for key in first}
    facts = {"shape": shape, "channels": channels, "salt": salt, "features": FEATURES, "classes": CLASSES, "stride": STRIDE, "pools": pools}
    facts |= {"learningRates": LEARNING_RATES, "weightDecay": WEIGHT_DECAY, "means": means, "float32": float32}
    arrays = {key: value.float().contiguous() for key, value in result.items()}
    save_file(arrays, HERE / f"case-{name}.safetensors", metadata={"facts": json.dumps(facts)})


def adamw_steps(start, gradients, decay, betas):
    """The parameter after every step, and both moments after the last."""
    parameter = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.AdamW([parameter], lr=1e-2, betas=betas, weight_decay=decay)
    values = []
    for step, gradient in enumerate(gradients):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 20)  # a schedule
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        values.append(parameter.detach().flatten().tolist())
    state = optimizer.state[parameter]
    return values, {"first": state["exp_avg"].flatten().tolist(), "second": state["exp_avg_sq"].flatten().tolist()}


def adamw():
    """PyTorch's AdamW in float64 on made-up gradients, ten steps, with and without decay; one tensor meets gradients of 0 and of 1e-9.

    Parameters with PyTorch's default betas. Moments with betas rounded to float32: a float32 1 - 0.999 is 1.3e-5 less than 0.001, which
    the bias corrections take back out of the parameters, not out of the moment."""
    generator = np.random.default_rng(5)
    start = generator.normal(size=(2, 3))
    gradients = generator.normal(size=(10, 2, 3))
    gradients[:, 0, 0] = 0
    gradients[:, 0, 1] *= 1e-9
    gradients[:, 1, 2] *= 1e3
    runs = []
    for decay in (0.0, 0.1):
        values, _ = adamw_steps(start, gradients, decay, (0.9, 0.999))
        _, moments = adamw_steps(start, gradients, decay, tuple(float(np.float32(beta)) for beta in (0.9, 0.999)))
        runs.append({"weightDecay": decay, "values": values, **moments})
    clips = []
    for largest in (0.5, 100.0):
        parameters = [torch.zeros(2, 3, dtype=torch.float64, requires_grad=True), torch.zeros(4, dtype=torch.float64, requires_grad=True)]
        for parameter, gradient in zip(parameters, (gradients[0] * [[1, 1, 1], [1, 1, 1e-3]], np.arange(4.0))):
            parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        before = [parameter.grad.flatten().tolist() for parameter in parameters]
        norm = torch.nn.utils.clip_grad_norm_(parameters, largest)
        clips.append({"largest": largest, "before": before, "norm": float(norm), "after": [parameter.grad.flatten().tolist() for parameter in parameters]})
    content = {"start": start.flatten().tolist(), "gradients": gradients.reshape(10, -1).tolist(), "runs": runs, "clips": clips}
    (HERE / "adamw.json").write_text(json.dumps(content) + "\n")


def narrow_types():
    """One file of every element type that can be read, with values at the edges of half precision."""
    values = torch.tensor([0.0, -0.0, 1.0, -1.5, 65504.0, 6.1035e-05, 5.96e-08, 0.33325, float("inf"), float("-inf")])
    types = {"half": torch.float16, "brain": torch.bfloat16, "single": torch.float32, "double": torch.float64}
    save_file({name: values.to(dtype).reshape(2, 5) for name, dtype in types.items()}, HERE / "types.safetensors")
    expected = {name: [repr(float(v)) for v in values.to(dtype).float()] for name, dtype in types.items()}
    (HERE / "types.json").write_text(json.dumps(expected) + "\n")


def layers():
    """Names, shapes and numbers of elements of BasicUNet's state dict, for the widths that are counted in the tests."""
    assert type(network(1, dropout=0.1).conv_0.conv_0.adn.D) is torch.nn.Dropout  # element by element, not whole channels
    content = {}
    for name, channels, features, classes in (("monai", 1, (32, 32, 64, 128, 256, 32), 2), ("paper", 1, (64, 64, 128, 256, 512, 64), 2), ("odd", 4, FEATURES, 3)):
        state = network(channels, features, classes).state_dict()
        content[name] = {"channels": channels, "features": features, "classes": classes, "parameters": sum(v.numel() for v in state.values())}
        content[name]["shapes"] = {key: list(value.shape) for key, value in state.items()}
    (HERE / "layers.json").write_text(json.dumps(content) + "\n")


def check(file, channels):
    model = network(channels)
    print(model.load_state_dict(load_file(file), strict=True))
    reference = load_file(HERE / f"weights-{channels}.safetensors")
    print("largest difference", max(float((value - reference[name]).abs().max()) for name, value in model.state_dict().items()))
    with safe_open(file, "pt") as opened:
        print("metadata", opened.metadata())


def main():
    torch.set_num_threads(1)
    for name, (channels, shape, salt, pools) in CASES.items():
        write_weights(channels, pools)
        case(name, channels, shape, salt, pools)
    adamw()
    narrow_types()
    layers()
    versions = {"torch": torch.__version__, "monai": monai.__version__, "safetensors": safetensors.__version__, "numpy": np.__version__}
    (HERE / "versions.json").write_text(json.dumps(versions) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        check(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1:2] == ["choose"]:
        choose(sys.argv[2])
    elif sys.argv[1:2] == ["only"]:
        torch.set_num_threads(1)
        channels, _, _, pools = CASES[sys.argv[2]]
        write_weights(channels, pools)
        case(sys.argv[2], *CASES[sys.argv[2]])
    else:
        main()
