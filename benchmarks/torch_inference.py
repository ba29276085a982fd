"""Sliding-window inference of one volume in PyTorch + MONAI, timed, for comparison with src/inference.

`python torch_inference.py '{"network": {"name": "unet", ...}, "size": 160, "window": 96, "setting": "plain", ...}'` prints one line of JSON:
{"seconds": [..], "cpuSeconds": [..], "peakBytes", "torch", "monai", "threads"}.
"""

import json
import re
import sys
import time
from pathlib import Path

import monai
import torch
from monai.inferers import sliding_window_inference
from monai.networks.nets import BasicUNet
from torch_network_step import make_network

JOB = json.loads(sys.argv[1])


def network(settings, out_channels):
    if settings["name"] == "unet":
        return BasicUNet(3, 1, out_channels, settings["features"], act=("LeakyReLU", {"negative_slope": 0.1, "inplace": True}), dropout=0.1)
    return make_network(settings["name"], JOB["window"], out_channels, settings.get("featureSize"))


def main():
    if JOB["threads"]:
        torch.set_num_threads(JOB["threads"])
    torch.manual_seed(0)
    model = network(JOB["network"], JOB["outChannels"]).eval()
    if JOB["setting"] == "channels_last":
        model = model.to(memory_format=torch.channels_last_3d)
    predictor = torch.compile(model) if JOB["setting"] == "compile" else model
    window = (JOB["window"],) * 3

    def predict(side):
        image = torch.rand(1, 1, side, side, side)
        started, used = time.perf_counter(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=JOB["precision"] == "bfloat16"):
            sliding_window_inference(image, window, JOB["windowBatch"], predictor, overlap=0.5, mode="gaussian")
        return time.perf_counter() - started, time.process_time() - used

    with torch.inference_mode():
        predict(JOB["window"])  # the first run warms up, and compiles
        seconds, cpu_seconds = zip(*[predict(JOB["size"]) for _ in range(JOB["repeats"])])
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()).group(1)) * 1024
    versions = {"torch": torch.__version__, "monai": monai.__version__, "threads": torch.get_num_threads()}
    print(json.dumps({"seconds": seconds, "cpuSeconds": cpu_seconds, "peakBytes": peak, **versions}))


if __name__ == "__main__":
    main()
