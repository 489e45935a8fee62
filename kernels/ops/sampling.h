// Picks the next token of each row of logits.
//
//   temperature 0:  the first largest logit
//   otherwise:      p = softmax(logits / temperature); the nucleus (Holtzman et al. 2020) keeps, in
//                   order of falling p (ties: lower id first), the tokens whose preceding mass is
//                   <= top_p; the token is the first of them whose running mass exceeds u · (kept mass)
//
// u[n] in [0, 1) comes from the caller (Philox keyed by caption and position), so a row's token does
// not depend on the other rows. logprob is log softmax(logits)[token], without temperature.
// A row with a NaN logit is an Error. On a GPU a row has 2^20 - 1 logits at most.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

struct SamplingOptions {
  float temperature = 0;
  float top_p = 1;
};

using Sample = void(Stream&, Out token, Out logprob, In logits, In u, SamplingOptions);
namespace cpu {
LACLIP_CPU_OP(Sample, sample)
}  // namespace cpu
namespace cuda {
Sample sample;
}  // namespace cuda

inline constexpr Op<Sample> sample{
    "sample: token[N]:i32 logprob[N]:f32 <- logits[N V]:f32 u[N]:f32", cpu::sample, cuda::sample};

}  // namespace laclip
