"""Makes similarity_map.json: a network of random weights over two similarity maps, as PyTorch sees it.

    pip install torch
    python make_similarity_map.py
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(11)
WIDTH, LAYERS, HIDDEN, SUMMARY = 5, 3, 32, 8
TENSORS = {}
for i in range(LAYERS):
    TENSORS[f"conv.{i}.weight"] = 0.3 * torch.randn(WIDTH, 6 if i == 0 else WIDTH, 3, 3)
    TENSORS[f"conv.{i}.bias"] = 0.3 * torch.randn(WIDTH)
TENSORS["dense.weight"] = 0.3 * torch.randn(HIDDEN, SUMMARY + 4 * WIDTH)
TENSORS["dense.bias"] = 0.3 * torch.randn(HIDDEN)
TENSORS["out.weight"] = 0.3 * torch.randn(1, HIDDEN)
TENSORS["out.bias"] = 0.3 * torch.randn(1)


def logit(cosine, same, base):
    rows, cols = cosine.shape
    by_row, by_col = cosine.amax(1), cosine.amax(0)
    place = lambda count: (torch.arange(count) + 0.5) / count
    further = place(cols)[None, :] - place(rows)[:, None]
    x = torch.stack([cosine, cosine - by_row[:, None], cosine - by_col[None, :], same.float(), further, further.abs()])
    for i in range(LAYERS):
        x = F.relu(F.conv2d(x[None], TENSORS[f"conv.{i}.weight"], TENSORS[f"conv.{i}.bias"], padding=1)[0])
    pooled = torch.stack([x.mean((1, 2)), x.amax((1, 2)), x.amax(2).mean(1), x.amax(1).mean(1)], 1).flatten()
    summary = torch.tensor([
        base, by_row.mean(), by_col.mean(), by_row.min(), by_col.min(),
        same.any(1).float().mean(), same.any(0).float().mean(), math.log(cols / rows),
    ])
    hidden = F.relu(F.linear(torch.cat([summary, pooled]), TENSORS["dense.weight"], TENSORS["dense.bias"]))
    return F.linear(hidden, TENSORS["out.weight"], TENSORS["out.bias"]).item()


maps = []
for rows, cols, base in [(1, 1, 0.2), (4, 9, 0.7), (11, 3, -0.1)]:
    cosine, same = torch.rand(rows, cols) * 2 - 1, torch.rand(rows, cols) < 0.2
    maps.append({
        "rows": rows, "cols": cols, "cosine": cosine.flatten().tolist(), "same": same.flatten().tolist(),
        "base": base, "logit": logit(cosine, same, base),
    })
out = pathlib.Path(__file__).with_name("similarity_map.json")
weights = torch.cat([t.flatten() for t in TENSORS.values()]).tolist()
digits = lambda x: [float(f"{v:.7g}") for v in x]
for m in maps:
    m["cosine"] = digits(m["cosine"])
out.write_text(json.dumps({"width": WIDTH, "layers": LAYERS, "weights": digits(weights), "maps": maps}) + "\n")
