// AdamW over all parameters of a set, with clipping of the gradient norm.
#pragma once

#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "engine/parameter.h"
#include "kernels/ops/adamw.h"
#include "kernels/ops/reduce.h"

namespace laclip {

struct OptimizerOptions {
  double beta1 = 0.9, beta2 = 0.98, eps = 1e-6, decay = 0.2;
  double max_norm = 0;  // 0 = no clipping
};

// What a step tells of its gradients: the loss they are of, and their global norm, which is not finite if
// one of them is not.
struct Gradients {
  float loss, norm;
};

// Waits until the work on the gradients is done; their loss is the sum of losses[N]. `meanwhile` is called
// when the device has all its work and before the host waits for it.
inline Gradients finish_gradients(Stream& stream, const ParameterSet& parameters, Tensor losses,
                                  const std::function<void()>& meanwhile = {}) {
  sum_of_squares(stream, parameters.square_norm(), parameters.gradients());
  if (meanwhile) meanwhile();
  float square = 0;
  std::vector<float> values(static_cast<size_t>(losses[0]));
  copy(stream, tensor_of(values), losses);
  copy(stream, tensor_of(&square, {1}), parameters.square_norm());
  stream.synchronize();
  return {std::accumulate(values.begin(), values.end(), 0.0f), std::sqrt(square)};
}

// One update with the gradients that finish_gradients was told of last; step counts from 1. Clipping reads
// their norm where that left it, so the host need not wait.
inline void optimizer_step(Stream& stream, const ParameterSet& parameters,
                           const OptimizerOptions& options, double lr, int64_t step) {
  adamw(stream, parameters.masters(), parameters.first_moments(), parameters.second_moments(),
        parameters.values(), parameters.gradients(), parameters.square_norm(),
        {.lr = float(lr),
         .beta1 = float(options.beta1),
         .beta2 = float(options.beta2),
         .eps = float(options.eps),
         .decay = float(options.decay),
         .max_norm = float(options.max_norm),
         .decayed = parameters.decayed(),
         .step = step});
}

}  // namespace laclip
