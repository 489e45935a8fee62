"""Writes the LLaMA goldens as transformers saves them: llama_grouped/ (grouped heads, own output matrix,
weights in shards) and llama_tied/ (tied embeddings, llama3 rope scaling, bf16, one file). golden.safetensors
in each holds token ids and the logits at every position, computed in float64.

    pip install torch transformers safetensors;  python make_llama.py
"""
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

SIZES = dict(vocab_size=96, hidden_size=32, num_hidden_layers=2, max_position_embeddings=64)


def make(folder, dtype, shard_size, **config):
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SIZES, **config, attn_implementation="eager")).eval()
    with torch.no_grad():
        for p in model.parameters():  # away from ones, and large enough for attention to be sharp
            p.add_((0.3 if p.ndim > 1 else 0.1) * torch.randn_like(p))
    model.to(dtype).save_pretrained(folder, max_shard_size=shard_size)
    # Read again, because the cast has rounded the frequencies of the rotary embedding, too.
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
    ids = torch.randint(3, SIZES["vocab_size"], (3, 40))
    with torch.no_grad():
        logits = model(ids).logits
    save_file({"ids": ids.int(), "logits": logits.float()}, f"{folder}/golden.safetensors")


make("llama_grouped", torch.float32, "40KB", intermediate_size=80, num_attention_heads=4,
     num_key_value_heads=2, rms_norm_eps=1e-5)
make("llama_tied", torch.bfloat16, "1GB", intermediate_size=48, num_attention_heads=2, num_key_value_heads=1,
     head_dim=8, tie_word_embeddings=True, rope_theta=5e5,
     rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                       original_max_position_embeddings=16))
