#include "kernels/ops/embedding.h"

#include <algorithm>

#include "base/parallel.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

void check_ids(const char* op, const char* what, In ids, int64_t rows) {
  const int32_t* id = ids.as<int32_t>();
  for (int64_t n = 0; n < ids[0]; ++n)
    check(id[n] >= 0 && id[n] < rows, "{}: {} {} of row {} is outside 0..{}", op, what, id[n], n,
          rows - 1);
}

void check_all(const char* op, const Tensor& tokens, const Tensor& places, In ids, In positions) {
  check(bool(places) == bool(positions), "{}: places and positions belong together", op);
  check_ids(op, "token", ids, tokens[0]);
  if (positions) check_ids(op, "position", positions, places[0]);
}

}  // namespace

void embedding_forward(Stream&, Out y, In tokens, In places, In ids, In positions) {
  check_all("embedding_forward", tokens.tensor(), places.tensor(), ids, positions);
  const int64_t N = y[0], C = y[1];
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    parallel_rows(N, C, [&](int64_t n) {
      const T* token = tokens.as<T>() + ids.as<int32_t>()[n] * C;
      const T* place = positions ? places.as<T>() + positions.as<int32_t>()[n] * C : nullptr;
      T* out = y.as<T>() + n * C;
      if (!place) {
        std::copy_n(token, C, out);
        return;
      }
      for (int64_t c = 0; c < C; ++c) store(out[c], float(token[c]) + float(place[c]));
    });
  });
}

void embedding_backward(Stream&, Acc dtokens, Acc dplaces, In dy, In ids, In positions) {
  check_all("embedding_backward", dtokens, dplaces, ids, positions);
  const int64_t N = dy[0], C = dy[1];
  constexpr int64_t kBlock =
      64;  // columns of one thread: rows in order, no two threads in one place
  dispatch_float(dy.dtype, [&]<class T>(TypeTag<T>) {
    parallel_ranges(C, kBlock, [&](int64_t begin, int64_t end) {
      const int64_t width = end - begin;
      for (int64_t n = 0; n < N; ++n) {
        const T* grad = dy.as<T>() + n * C + begin;
        float* token = dtokens.as<float>() + ids.as<int32_t>()[n] * C + begin;
        for (int64_t c = 0; c < width; ++c) token[c] += float(grad[c]);
        if (!positions) continue;
        float* place = dplaces.as<float>() + positions.as<int32_t>()[n] * C + begin;
        for (int64_t c = 0; c < width; ++c) place[c] += float(grad[c]);
      }
    });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL
