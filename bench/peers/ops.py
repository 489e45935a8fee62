"""Single ops with PyTorch at the sizes of `laclip bench ops`."""

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from timing import DEVICE, interleaved, line, measurement, seconds


def normal(*shape, dtype=torch.bfloat16, grad=False):
    return torch.randn(*shape, device=DEVICE, dtype=dtype, requires_grad=grad)


def ceilings(small):
    n = 1 << (16 if small else 28)
    a, b = normal(n, dtype=torch.float32), normal(n, dtype=torch.float32)
    copy = 8 * n / seconds(lambda: b.copy_(a)) / 1e9
    size = 128 if small else 8192
    x, y = normal(size, size), normal(size, size)
    line(bench="peer ceilings", copy_gbs=copy, product=size,
         product_gflops=2 * size**3 / seconds(lambda: x @ y) / 1e9)


def layernorm(rows, width):
    x, gamma, beta = normal(rows, width, grad=True), normal(width, grad=True), normal(width, grad=True)
    dy = normal(rows, width)
    y = F.layer_norm(x, (width,), gamma, beta)
    bodies = {
        "layernorm_forward": lambda: F.layer_norm(x.detach(), (width,), gamma, beta),
        "layernorm_backward": lambda: torch.autograd.grad(y, (x, gamma, beta), dy, retain_graph=True),
    }
    with measurement("layernorm_forward, compiled"):  # Triton needs a C compiler and Python's headers
        compiled = torch.compile(lambda t: F.layer_norm(t, (width,), gamma, beta))
        compiled(x.detach())
        bodies["layernorm_forward, compiled"] = lambda: compiled(x.detach())
    times = interleaved(bodies)
    for name, t in times.items():
        line(bench="peer", op=name, shape=f"{rows} x {width}", seconds=t)


def products(rows, width, hidden):
    for inputs, outputs in [(width, 3 * width), (width, width), (width, hidden), (hidden, width)]:
        x, w, b = normal(rows, inputs), normal(outputs, inputs), normal(outputs)
        dy = normal(rows, outputs)
        times = interleaved({
            "linear_forward": lambda: F.linear(x, w, b),
            "linear_backward_input": lambda: dy @ w,
            "linear_backward_weight": lambda: (dy.t() @ x, dy.sum(0)),
        })
        for name, t in times.items():
            line(bench="peer", op=name, shape=f"{rows} x {inputs} -> {outputs}", seconds=t,
                 gflops=2 * rows * inputs * outputs / t / 1e9)


def attention(batch, length, causal):
    heads, size = 12, 64
    q, k, v = (normal(batch, heads, length, size, grad=True) for _ in range(3))
    dy = normal(batch, heads, length, size)
    for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):
        try:
            with sdpa_kernel(backend):
                y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
                times = interleaved({
                    "attention_forward": lambda: F.scaled_dot_product_attention(
                        q.detach(), k.detach(), v.detach(), is_causal=causal),
                    "attention_backward": lambda: torch.autograd.grad(
                        y, (q, k, v), dy, retain_graph=True),
                })
        except RuntimeError as error:
            line(bench="peer", op="attention", backend=backend.name, error=str(error).split("\n")[0])
            continue
        for name, t in times.items():
            line(bench="peer", op=name, backend=backend.name, seconds=t,
                 shape=f"{batch} x {length}" + (" causal" if causal else ""))


def contrastive(batch, width):
    image, text = (F.normalize(normal(batch, width, dtype=torch.float32), dim=-1).bfloat16()
                   .requires_grad_() for _ in range(2))
    labels = torch.arange(batch, device=DEVICE)

    def both():
        logits = (100 * image @ text.t()).float()
        loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2
        return torch.autograd.grad(loss, (image, text))

    line(bench="peer", op="contrastive, both passes", shape=f"{batch} x {width}", seconds=seconds(both))


def adamw(count):
    w = torch.nn.Parameter(normal(count, dtype=torch.float32))
    w.grad = normal(count, dtype=torch.float32)
    optimizer = torch.optim.AdamW([w], lr=1e-6, fused=True)
    line(bench="peer", op="adamw (fused)", shape=str(count), seconds=seconds(optimizer.step))


def run(small):
    batch = 1 if small else 256
    for op, arguments in [
        (ceilings, (small,)),
        (layernorm, (batch * 197, 768)),
        (products, (batch * 197, 768, 3072)),
        (attention, (batch, 50, False)),
        (attention, (batch, 77, True)),
        (attention, (batch, 197, False)),
        (contrastive, (64 if small else 32768, 512)),
        (adamw, (10_000 if small else 150_000_000,)),
    ]:
        with measurement(op.__name__):
            op(*arguments)
