"""Writes the CLIP goldens: clip_open_clip.safetensors (by open_clip) and clip_laclip.safetensors
(LaCLIP's form, by its formulas). Each holds the configuration, the weights ("w."), a batch of pixels and
captions, the unit features, the loss, every gradient ("g."), and the weights after five AdamW steps ("s.").

    pip install torch numpy safetensors open_clip_torch;  python make_clip.py
"""
import json
import math
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

B, SIZE, PATCH, CONTEXT, VOCAB, EMBED = 6, 16, 8, 12, 64, 24
VISION = dict(width=36, layers=2, heads=3)
TEXT = dict(width=24, layers=2, heads=2)
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def laclip_model():
    class Attention(nn.Module):  # timm's, with a norm over each query and key head
        def __init__(self, dim, heads):
            super().__init__()
            self.heads = heads
            self.qkv = nn.Linear(dim, 3 * dim)
            self.q_norm = nn.LayerNorm(dim // heads, eps=1e-6)
            self.k_norm = nn.LayerNorm(dim // heads, eps=1e-6)
            self.proj = nn.Linear(dim, dim)

        def forward(self, x):
            b, t, c = x.shape
            q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
            q, k = self.q_norm(q), self.k_norm(k)
            p = ((q @ k.transpose(-1, -2)) * (c // self.heads) ** -0.5).softmax(-1)
            return self.proj((p @ v).transpose(1, 2).reshape(b, t, c))

    class Mlp(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

        def forward(self, x):
            return self.fc2(F.gelu(self.fc1(x)))

    class Block(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
            self.attn, self.mlp = Attention(dim, heads), Mlp(dim)

        def forward(self, x):
            x = x + self.attn(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class PatchEmbed(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.proj = nn.Conv2d(3, dim, PATCH, PATCH)

    class Vision(nn.Module):
        def __init__(self):
            super().__init__()
            dim = VISION["width"]
            self.cls_token = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
            self.pos_embed = nn.Parameter(torch.randn(1, (SIZE // PATCH) ** 2 + 1, dim) * 0.02)
            self.patch_embed = PatchEmbed(dim)
            self.blocks = nn.Sequential(*[Block(dim, VISION["heads"]) for _ in range(VISION["layers"])])
            self.norm = nn.LayerNorm(dim, eps=1e-6)

        def forward(self, x):
            x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed
            return self.norm(self.blocks(x))[:, 0]

    class QuickGelu(nn.Module):
        def forward(self, x):
            return x * torch.sigmoid(1.702 * x)

    class TextBlock(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.attn = nn.MultiheadAttention(dim, heads)
            self.ln_1, self.ln_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.mlp = nn.Sequential()
            self.mlp.add_module("c_fc", nn.Linear(dim, 4 * dim))
            self.mlp.add_module("gelu", QuickGelu())
            self.mlp.add_module("c_proj", nn.Linear(4 * dim, dim))

        def forward(self, x, mask):
            h = self.ln_1(x)
            x = x + self.attn(h, h, h, need_weights=False, attn_mask=mask)[0]
            return x + self.mlp(self.ln_2(x))

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.resblocks = nn.ModuleList(TextBlock(TEXT["width"], TEXT["heads"])
                                           for _ in range(TEXT["layers"]))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            dim = TEXT["width"]
            self.visual, self.transformer = Vision(), Transformer()
            self.token_embedding = nn.Embedding(VOCAB, dim)
            self.positional_embedding = nn.Parameter(torch.randn(CONTEXT, dim) * 0.01)
            self.ln_final = nn.LayerNorm(dim)
            self.image_projection = nn.Parameter(torch.randn(VISION["width"], EMBED) * 0.1)
            self.text_projection = nn.Parameter(torch.randn(dim, EMBED) * 0.1)
            self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

        def encode_image(self, x):
            return self.visual(x) @ self.image_projection

        def encode_text(self, ids):
            mask = torch.full((CONTEXT, CONTEXT), float("-inf"), dtype=torch.double).triu(1)
            x = (self.token_embedding(ids) + self.positional_embedding).transpose(0, 1)
            for block in self.transformer.resblocks:
                x = block(x, mask)
            x = self.ln_final(x.transpose(0, 1))
            return x[torch.arange(x.shape[0]), ids.argmax(-1)] @ self.text_projection

    config = {"embed_dim": EMBED, "form": "laclip",
              "vision_cfg": {"image_size": SIZE, "layers": VISION["layers"], "width": VISION["width"],
                             "heads": VISION["heads"], "patch_size": PATCH, "qk_norm": True, "eps": 1e-6},
              "text_cfg": {"context_length": CONTEXT, "vocab_size": VOCAB, **TEXT, "quick_gelu": True},
              "preprocess": {"mean": MEAN, "std": STD, "interpolation": "bilinear"}}
    return Model(), config


def open_clip_model():
    from open_clip.model import CLIP
    head_width = VISION["width"] // VISION["heads"]
    model = CLIP(EMBED, dict(image_size=SIZE, patch_size=PATCH, width=VISION["width"],
                             layers=VISION["layers"], head_width=head_width),
                 dict(context_length=CONTEXT, vocab_size=VOCAB, **TEXT))
    config = {"embed_dim": EMBED,
              "vision_cfg": {"image_size": SIZE, "layers": VISION["layers"], "width": VISION["width"],
                             "head_width": head_width, "patch_size": PATCH},
              "text_cfg": {"context_length": CONTEXT, "vocab_size": VOCAB, **TEXT},
              "preprocess": {"mean": MEAN, "std": STD, "interpolation": "bilinear"}}
    return model, config


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def loss_of(model, pixels, ids):
    image, text = unit(model.encode_image(pixels)), unit(model.encode_text(ids))
    logits = model.logit_scale.exp() * image @ text.T
    labels = torch.arange(len(logits))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2, image, text


def make(name, build):
    torch.manual_seed(0)
    model, config = build()
    for p in model.parameters():  # norms and biases away from ones and zeros
        with torch.no_grad():
            p.add_(0.05 * torch.randn_like(p))
            p.copy_(p.float())
    model = model.double().eval()
    rng = np.random.default_rng(1)
    raw = rng.integers(0, 256, (B, SIZE, SIZE, 3), dtype=np.uint8)
    pixels = (torch.tensor(raw).double() / 255 - torch.tensor(MEAN).double()) / torch.tensor(STD).double()
    pixels = pixels.permute(0, 3, 1, 2)
    lengths = [3, CONTEXT, 7, 2, 9, 5]
    ids = torch.zeros(B, CONTEXT, dtype=torch.long)
    for row, length in zip(ids, lengths):
        row[:length] = torch.tensor(rng.integers(1, VOCAB - 2, length))
        row[0], row[length - 1] = VOCAB - 2, VOCAB - 1

    out = {"pixels": torch.tensor(raw), "ids": ids.int(), "lengths": torch.tensor(lengths).int()}
    out.update({"w." + n: p.detach().float().clone() for n, p in model.named_parameters()})
    loss, image, text = loss_of(model, pixels, ids)
    loss.backward()
    out["loss"], out["image"], out["text"] = loss.detach().reshape(1), image.detach().float(), text.detach().float()
    out.update({"g." + n: p.grad.float().clone() for n, p in model.named_parameters()})

    decays = lambda n, p: p.ndim >= 2 and not any(w in n for w in ("bias", "ln", "bn"))
    groups = [{"params": [p for n, p in model.named_parameters() if decays(n, p)], "weight_decay": 0.5},
              {"params": [p for n, p in model.named_parameters() if not decays(n, p)], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), eps=1e-5)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss, _, _ = loss_of(model, pixels, ids)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
    out["losses"] = torch.tensor(losses, dtype=torch.double)
    out.update({"s." + n: p.detach().float().clone() for n, p in model.named_parameters()})
    save_file({k: v.contiguous() for k, v in out.items()}, f"{name}.safetensors", {"config": json.dumps(config)})


make("clip_open_clip", open_clip_model)
make("clip_laclip", laclip_model)
