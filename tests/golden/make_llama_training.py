"""Writes llama_grouped/training.safetensors and llama_tied/training.safetensors: for the models beside
them, a batch of token ids, the loss, every gradient ("g.") and the weights after five AdamW steps ("s."),
computed by transformers in float64.

    pip install torch transformers safetensors;  python make_llama_training.py
"""
import torch
from safetensors.torch import save_file
from transformers import LlamaForCausalLM

# With a smaller eps the step lr g / (|g| + eps) of a gradient that is zero within rounding is anything up to lr.
LR, BETAS, EPS, DECAY = 1e-3, (0.9, 0.95), 1e-6, 0.1


def decays(p):
    return p.ndim > 1


for folder in ("llama_grouped", "llama_tied"):
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
    torch.manual_seed(1)
    ids = torch.randint(3, model.config.vocab_size, (3, 24))
    named = dict(model.named_parameters())
    optimizer = torch.optim.AdamW([
        {"params": [p for p in named.values() if decays(p)], "weight_decay": DECAY},
        {"params": [p for p in named.values() if not decays(p)], "weight_decay": 0.0}],
        lr=LR, betas=BETAS, eps=EPS)
    out = {"ids": ids.int(), "hyper": torch.tensor([LR, *BETAS, EPS, DECAY], dtype=torch.float64)}
    losses = []
    for step in range(5):
        optimizer.zero_grad()
        loss = model(ids, labels=ids).loss
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out |= {"g." + name: p.grad.float().clone() for name, p in named.items()}
        optimizer.step()
    out |= {"s." + name: p.detach().float().clone() for name, p in named.items()}
    out["losses"] = torch.tensor(losses, dtype=torch.float64)
    save_file(out, f"{folder}/training.safetensors")
