// The symmetric InfoNCE loss of CLIP (Radford et al. 2021) on unit features; row b of image and
// text belong together.
//
//   s[a,b]  = exp(logit_scale) image_a · text_b
//   lse_image[a] = log Σ_b exp s[a,b]      lse_text[b] = log Σ_a exp s[a,b]
//   loss    = 1/(2B) Σ_b (lse_image[b] + lse_text[b] - 2 s[b,b])
//
//   ds[a,b] = 1/(2B) (exp(s[a,b] - lse_image[a]) + exp(s[a,b] - lse_text[b]) - 2 [a = b])
//   dimage  = exp(logit_scale) ds text      dtext = exp(logit_scale) dsᵀ image
//   dlogit_scale += Σ ds s
//
// The B×B matrix is never stored: tiles of it with online log-sum-exp in both directions, made again
// in backward. Extra memory O(B E) and one block of fixed size. Features may be bf16, as a bf16 tower
// makes them: their products are exact in fp32. Logits, sums and gradients are fp32; on a GPU ds is
// rounded to bf16 then, before its two products.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using ContrastiveForward = void(Stream&, Out loss, Out lse_image, Out lse_text, In image, In text,
                                In logit_scale);
using ContrastiveBackward = void(Stream&, Out dimage, Out dtext, Acc dlogit_scale, In image,
                                 In text, In logit_scale, In lse_image, In lse_text);
namespace cpu {
LACLIP_CPU_OP(ContrastiveForward, contrastive_forward)
LACLIP_CPU_OP(ContrastiveBackward, contrastive_backward)
}  // namespace cpu
namespace cuda {
ContrastiveForward contrastive_forward;
ContrastiveBackward contrastive_backward;
}  // namespace cuda

inline constexpr Op<ContrastiveForward> contrastive_forward{
    "contrastive_forward: loss[1]:f32 lse_image[B]:f32 lse_text[B]:f32 <- "
    "image[B E] text[B E] logit_scale[1]:f32",
    cpu::contrastive_forward, cuda::contrastive_forward};
inline constexpr Op<ContrastiveBackward> contrastive_backward{
    "contrastive_backward: dimage[B E]:f32 dtext[B E]:f32 dlogit_scale[1]:f32 <- "
    "image[B E] text[B E] logit_scale[1]:f32 lse_image[B]:f32 lse_text[B]:f32",
    cpu::contrastive_backward, cuda::contrastive_backward};

}  // namespace laclip
