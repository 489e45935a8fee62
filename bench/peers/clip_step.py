"""A CLIP training step with PyTorch: our own plain model, bf16 autocast, fused AdamW, the best of its attention
backends; eager, and with torch.compile of the blocks (one compilation a tower). Sizes as in `laclip bench gpu`."""

import torch
import torch.nn.functional as F
from torch import nn

from timing import DEVICE, line, measurement, seconds


class Block(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, -1).transpose(1, 2)
                   for part in self.qkv(self.norm_1(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.proj(y.transpose(1, 2).reshape(B, T, C))
        return x + self.narrow(F.gelu(self.widen(self.norm_2(x))))


class Clip(nn.Module):
    def __init__(self, patch, image=224, width=768, layers=12, text_width=512, text_layers=12,
                 embed=512, context=77, vocabulary=49408):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.cls = nn.Parameter(torch.randn(width) * 0.02)
        self.places = nn.Parameter(torch.randn((image // patch) ** 2 + 1, width) * 0.02)
        self.before = nn.LayerNorm(width)
        self.image_blocks = nn.Sequential(*(Block(width, width // 64, False) for _ in range(layers)))
        self.image_norm, self.image_proj = nn.LayerNorm(width), nn.Linear(width, embed, bias=False)
        self.tokens = nn.Embedding(vocabulary, text_width)
        self.text_places = nn.Parameter(torch.randn(context, text_width) * 0.01)
        self.text_blocks = nn.Sequential(
            *(Block(text_width, text_width // 64, True) for _ in range(text_layers)))
        self.text_norm, self.text_proj = nn.LayerNorm(text_width), nn.Linear(text_width, embed, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.6593))

    def forward(self, images, ids):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), 1, -1).to(x.dtype), x], 1) + self.places
        x = self.image_blocks(self.before(x))
        image = F.normalize(self.image_proj(self.image_norm(x[:, 0])).float(), dim=-1)
        x = self.text_blocks(self.tokens(ids) + self.text_places[: ids.shape[1]])
        text = F.normalize(self.text_proj(self.text_norm(x[:, -1])).float(), dim=-1)
        logits = self.logit_scale.exp() * image @ text.t()
        labels = torch.arange(len(ids), device=ids.device)
        return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2


def measure(name, patch, batch, compiled, warm=False, **sizes):
    torch.manual_seed(0)
    with torch.device(DEVICE):
        model = Clip(patch, **sizes)
    if compiled:
        for block in [*model.image_blocks, *model.text_blocks]:
            block.compile()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, betas=(0.9, 0.98), fused=True)
    image = sizes.get("image", 224)
    images = torch.randn(batch, 3, image, image, device=DEVICE)
    # PyTorch has no packed rows: every caption takes the whole context.
    ids = torch.randint(0, sizes.get("vocabulary", 49408), (batch, 77), device=DEVICE)

    def step():
        with torch.autocast(DEVICE, torch.bfloat16):
            loss = model(images, ids)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(1 if warm else 3):
        step()
    if warm:
        return
    t = seconds(step, 5, 0.5)
    line(bench="peer step", model=name, batch=batch, compiled=compiled, seconds=t,
         pairs_per_second=batch / t)


def run(small, warm=False):
    """warm: only what torch.compile has to do, which it finds in its cache later"""
    tiny = dict(image=32, width=64, layers=1, text_width=64, text_layers=1, embed=32, vocabulary=100)
    steps = [("tiny", 8, 2, False, tiny)] if small else [
        ("ViT-B-16", 16, 256, False, {}),  # what cannot fail with the compiler comes first
        ("ViT-B-32", 32, 256, False, {}),
        ("ViT-B-16", 16, 256, True, {}),
    ]
    for name, patch, batch, compiled, sizes in steps:
        if warm and not (compiled or small):
            continue
        with measurement(f"step {name}{', compiled' if compiled else ''}"):
            measure(name, patch, batch, compiled, warm, **sizes)
