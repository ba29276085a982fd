"""Timed training steps in PyTorch, and the line of JSON that tells of them."""
import json
import math
import resource
import sys
import time

import monai
import torch


def print_timed_steps(args, loss_of, optimizer):
    """Runs args.steps steps after a first one, which warms up and compiles; `loss_of()` gives the loss of one.

    Prints {"setting", "stepSeconds": [..], "losses", "peakBytes", "torch", "monai", "threads"}; ends with code 1 and a sentence when a loss is not finite.
    """
    seconds, losses = [], []
    for _ in range(args.steps + 1):
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
    if not all(math.isfinite(loss) for loss in losses):
        sys.exit(f"the losses are not finite: {losses}")
    facts = {
        "setting": f"{args.precision} {args.setting}",
        "stepSeconds": seconds[1:],
        "losses": losses,
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "torch": torch.__version__,
        "monai": monai.__version__,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(facts))
