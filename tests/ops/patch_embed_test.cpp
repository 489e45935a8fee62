#include "kernels/ops/patch_embed.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

TEST(NormalizeImage, ScalesEachChannel) {
  const PixelScale scale{{0.5f, 0.25f, 0.1f}, {0.2f, 0.3f, 0.4f}};
  for (auto [R, S] : {std::pair{3, 3}, {3, 4}, {6, 8}}) {
    const auto plane = size_t(R * S);
    OpInputs inputs;
    for (int i = 0; i < 2 * R * S * 3; ++i) inputs.given["x"].push_back(i * 37 % 256);
    check_op(
        normalize_image, {{'B', 2}, {'R', R}, {'S', S}},
        [=](auto& t) {
          for (size_t b = 0; b < 2; ++b)
            for (size_t i = 0; i < 3; ++i)
              for (size_t p = 0; p < plane; ++p)
                t["y"][(b * 3 + i) * plane + p] =
                    (t["x"][(b * plane + p) * 3 + i] / 255 - double(scale.mean[i])) /
                    double(scale.std[i]);
        },
        std::tuple{scale}, inputs);
  }
}

TEST(Patchify, OrdersPatchesByRowsAndValuesByChannel) {
  for (const size_t p : {1, 2, 3, 8, 14, 16, 32}) {
    const size_t down = p < 8 ? 2 : 1, across = 3, R = down * p, S = across * p, K = 3 * p * p;
    check_op(
        patchify,
        {{'B', 2}, {'R', R}, {'S', S}, {'M', int64_t(2 * down * across)}, {'K', int64_t(K)}},
        [=](auto& t) {
          for (size_t b = 0; b < 2; ++b)
            for (size_t v = 0; v < down; ++v)
              for (size_t u = 0; u < across; ++u)
                for (size_t i = 0; i < 3; ++i)
                  for (size_t r = 0; r < p; ++r)
                    for (size_t c = 0; c < p; ++c)
                      t["y"][((b * down + v) * across + u) * K + (i * p + r) * p + c] =
                          t["x"][((b * 3 + i) * R + v * p + r) * S + u * p + c];
        },
        std::tuple{int(p)});
  }
}

TEST(Patchify, AnImageThatCannotBeCutIsRefused) {
  std::vector<float> x(3 * 5 * 4), y(3 * 4);
  Stream stream;
  EXPECT_THROW(patchify(stream, tensor_of(y.data(), {1, 12}), tensor_of(x.data(), {1, 3, 5, 4}), 2),
               Error);
}

const auto class_token_reference = [](auto& t) {
  const auto T = size_t(t('T')), C = size_t(t('C')), B = size_t(t('N')) / T;
  for (size_t b = 0; b < B; ++b)
    for (size_t i = 0; i < T; ++i)
      for (size_t c = 0; c < C; ++c)
        t["y"][(b * T + i) * C + c] =
            (i == 0 ? t["cls"][c] : t["x"][(b * (T - 1) + i - 1) * C + c]) + t["places"][i * C + c];
};

TEST(ClassToken, ValueAndGradient) {
  for (auto [B, T, C] : {std::tuple{1, 2, 3}, {3, 5, 18}, {37, 3, 16}}) {
    const Sizes sizes{{'N', B * T}, {'M', B * (T - 1)}, {'T', T}, {'C', C}};
    check_op(class_token_forward, sizes, class_token_reference);
    check_gradient(class_token_forward, class_token_backward, sizes, class_token_reference,
                   std::tuple{}, std::tuple{});
  }
}

}  // namespace
}  // namespace laclip::test
