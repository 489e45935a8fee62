// Token and position embedding of packed rows.
//
//   y[n] = tokens[ids[n]] + places[positions[n]]            (places and positions: both or none)
//   dtokens[ids[n]] += dy[n]     dplaces[positions[n]] += dy[n]
//
// Ids are checked: one outside 0..V-1 is an Error (on a GPU its row is left out, and the Error comes
// from Stream::synchronize). The sum over equal ids runs in row order, on a GPU piece by piece.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using EmbeddingForward = void(Stream&, Out y, In tokens, In places, In ids, In positions);
using EmbeddingBackward = void(Stream&, Acc dtokens, Acc dplaces, In dy, In ids, In positions);
namespace cpu {
LACLIP_CPU_OP(EmbeddingForward, embedding_forward)
LACLIP_CPU_OP(EmbeddingBackward, embedding_backward)
}  // namespace cpu
namespace cuda {
EmbeddingForward embedding_forward;
EmbeddingBackward embedding_backward;
}  // namespace cuda

inline constexpr Op<EmbeddingForward> embedding_forward{
    "embedding_forward: y[N C] <- tokens[V C] places?[T C] ids[N]:i32 positions?[N]:i32",
    cpu::embedding_forward, cuda::embedding_forward};
inline constexpr Op<EmbeddingBackward> embedding_backward{
    "embedding_backward: dtokens[V C]:f32 dplaces?[T C]:f32 <- "
    "dy[N C] ids[N]:i32 positions?[N]:i32",
    cpu::embedding_backward, cuda::embedding_backward};

}  // namespace laclip
