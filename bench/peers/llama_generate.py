"""Rewriting with transformers: a LLaMA of random weights, a 130-token prefix, 20-token captions, 25
new tokens, sampled with temperature 0.9 and top-p 0.95, batched. Every text computes the prefix itself; ours
computes a shared one once."""

import time

import torch

from timing import DEVICE, line, wait


def run(small):
    from transformers import LlamaConfig, LlamaForCausalLM  # takes seconds, and may be absent

    sizes = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                 vocab_size=100) if small else {}
    batch = 2 if small else 256
    config = LlamaConfig(max_position_embeddings=2048, **sizes)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(DEVICE):
        model = LlamaForCausalLM(config).eval()
    prefix = torch.randint(3, config.vocab_size, (1, 130), device=DEVICE).expand(batch, -1)
    captions = torch.randint(3, config.vocab_size, (batch, 20), device=DEVICE)
    ids = torch.cat([prefix, captions], 1)

    def generate():
        start = time.perf_counter()
        with torch.inference_mode():
            model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=0.9,
                           top_p=0.95, top_k=0, max_new_tokens=25, min_new_tokens=25, pad_token_id=0)
        wait()
        return time.perf_counter() - start

    generate()
    t = min(generate() for _ in range(2))
    line(bench="peer rewriting", parameters=sum(p.numel() for p in model.parameters()), batch=batch,
         seconds=t, captions_per_second=batch / t, prefix="computed for each text, ours once")
