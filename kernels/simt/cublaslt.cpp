#include "kernels/simt/cublaslt.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/simt/device_memory.h"

using laclip::simt::DeviceMemory;

struct laclip_simt_cublaslt {};

struct laclip_simt_product {
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* vector = nullptr;
};

struct laclip_simt_layout {
  cudaDataType_t type;
  uint64_t rows, columns;
  int64_t stride;

  uint64_t rows_of(cublasOperation_t op) const { return op == CUBLAS_OP_T ? columns : rows; }
  uint64_t columns_of(cublasOperation_t op) const { return op == CUBLAS_OP_T ? rows : columns; }
  size_t bytes_of_element() const { return type == CUDA_R_32F ? 4 : 2; }
  size_t offset(uint64_t row, uint64_t column, cublasOperation_t op = CUBLAS_OP_N) const {
    if (op == CUBLAS_OP_T) return row * size_t(stride) + column;
    return column * size_t(stride) + row;
  }
};

struct laclip_simt_preference {
  size_t workspace = 0;
  uint32_t reduction = 7;
  uint32_t alignments[4] = {256, 256, 256, 256};  // of a, b, c, d
};

namespace {

float load(const void* from, size_t at, cudaDataType_t type) {
  if (type == CUDA_R_32F) return static_cast<const float*>(from)[at];
  return std::bit_cast<float>(uint32_t(static_cast<const uint16_t*>(from)[at]) << 16);
}

void store(void* to, size_t at, cudaDataType_t type, float value) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(to)[at] = value;
    return;
  }
  const auto bits = std::bit_cast<uint32_t>(value);  // round to nearest even
  static_cast<uint16_t*>(to)[at] = uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

template <class Member>
cublasStatus_t take(Member& member, const void* value, size_t bytes) {
  if (bytes != sizeof member) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&member, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

bool fit(const laclip_simt_product& p, const laclip_simt_layout& a, const laclip_simt_layout& b,
         const laclip_simt_layout& c, const laclip_simt_layout& d) {
  return a.columns_of(p.a) == b.rows_of(p.b) && d.rows == a.rows_of(p.a) &&
         d.columns == b.columns_of(p.b) && c.rows == d.rows && c.columns == d.columns &&
         c.type == d.type && a.type == b.type && a.stride >= int64_t(a.rows) &&
         b.stride >= int64_t(b.rows) && c.stride >= int64_t(c.rows) && d.stride >= int64_t(d.rows);
}

// A call as it was given: the caller may change its descriptions before a graph runs it.
struct Product {
  laclip_simt_product how;
  laclip_simt_layout of_a, of_b, of_c, of_d;
  float scale, keep;

  void run(const void* a, const void* b, const void* c, void* d) const {
    const DeviceMemory::Access access;
    const uint64_t depth = of_a.columns_of(how.a);
    const auto right = [&](uint64_t k, uint64_t n) {
      return load(b, of_b.offset(k, n, how.b), of_b.type);
    };
    for (uint64_t n = 0; n < of_d.columns; ++n) {
      for (uint64_t m = 0; m < of_d.rows; ++m) {
        float sum = 0;
        for (uint64_t k = 0; k < depth; ++k)
          sum += load(a, of_a.offset(m, k, how.a), of_a.type) * right(k, n);
        sum *= scale;
        if (keep != 0) sum += keep * load(c, of_c.offset(m, n), of_c.type);
        if (how.epilogue == CUBLASLT_EPILOGUE_BIAS) sum += load(how.vector, m, of_d.type);
        store(d, of_d.offset(m, n), of_d.type, sum);
      }
      if (how.epilogue == CUBLASLT_EPILOGUE_BGRADB) {
        float sum = 0;
        for (uint64_t k = 0; k < depth; ++k) sum += right(k, n);
        store(how.vector, n, of_d.type, sum);
      }
    }
  }
};

// What the 64 bytes of an algorithm are here.
struct Algorithm {
  uint64_t mark = kMark, alignments[4], vector_alignment;
  int32_t number;
  int32_t unused[3] = {};
  static constexpr uint64_t kMark = 0x6d697374'6c62756cULL;
};
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t));

bool makes(const Algorithm& algorithm, const laclip_simt_layout& d) {
  return algorithm.mark == Algorithm::kMark &&
         (algorithm.number == 1 || (algorithm.number == 2 && d.columns % 16 == 0));
}

int failing = 0;

}  // namespace

void laclip::simt::fail_matmuls(int count) { failing = count; }

size_t cublasLtGetVersion() { return 1; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  static laclip_simt_cublaslt only;
  *handle = &only;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t,
                                        cudaDataType_t) {
  *product = new laclip_simt_product;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
  delete product;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(product->a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(product->b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(product->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(product->vector, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type,
                                          uint64_t rows, uint64_t columns, int64_t stride) {
  *layout = new laclip_simt_layout{type, rows, columns, stride};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new laclip_simt_preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    return take(preference->workspace, value, bytes);
  if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
    return take(preference->reduction, value, bytes);
  return take(preference->alignments[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value,
              bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t product,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t* found, int* count) {
  *count = 0;
  if (requested < 1) return CUBLAS_STATUS_INVALID_VALUE;
  if (!fit(*product, *a, *b, *c, *d)) return CUBLAS_STATUS_NOT_SUPPORTED;
  Algorithm algorithm;
  std::copy_n(preference->alignments, 4, algorithm.alignments);
  const auto vector = reinterpret_cast<uintptr_t>(product->vector);
  algorithm.vector_alignment = vector == 0 ? 256 : std::min<uint64_t>(vector & (~vector + 1), 256);
  for (algorithm.number = 2; algorithm.number >= 1 && *count < requested; --algorithm.number)
    if (makes(algorithm, *d))
      found[(*count)++] = {std::bit_cast<cublasLtMatmulAlgo_t>(algorithm), 0,
                           CUBLAS_STATUS_SUCCESS};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t product,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t* algorithm,
                                       cublasLtMatmulHeuristicResult_t* result) {
  if (!fit(*product, *a, *b, *c, *d)) return CUBLAS_STATUS_INVALID_VALUE;
  if (!makes(std::bit_cast<Algorithm>(*algorithm), *d)) return CUBLAS_STATUS_NOT_SUPPORTED;
  result->workspaceSize = 0;
  result->state = CUBLAS_STATUS_SUCCESS;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t attribute,
                                                    void* value, size_t bytes, size_t* written) {
  if (bytes != sizeof(int32_t)) return CUBLAS_STATUS_INVALID_VALUE;
  const int32_t number =
      attribute == CUBLASLT_ALGO_CONFIG_ID ? std::bit_cast<Algorithm>(*algorithm).number : 1;
  std::memcpy(value, &number, bytes);
  *written = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t of_a, const void* b,
                              cublasLtMatrixLayout_t of_b, const void* beta, const void* c,
                              cublasLtMatrixLayout_t of_c, void* d, cublasLtMatrixLayout_t of_d,
                              const cublasLtMatmulAlgo_t* algorithm, void*, size_t,
                              cudaStream_t stream) {
  if (!fit(*product, *of_a, *of_b, *of_c, *of_d)) return CUBLAS_STATUS_INVALID_VALUE;
  const auto how = std::bit_cast<Algorithm>(*algorithm);
  if (!makes(how, *of_d)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const void* addresses[] = {a, b, c, d};
  for (int i = 0; i < 4; ++i)  // an algorithm is for addresses of the alignment it was asked with
    if (reinterpret_cast<uintptr_t>(addresses[i]) % how.alignments[i] != 0)
      return CUBLAS_STATUS_NOT_SUPPORTED;
  if (product->vector && reinterpret_cast<uintptr_t>(product->vector) % how.vector_alignment != 0)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (failing > 0) {
    --failing;
    cudaMemsetAsync(nullptr, 0, 1, stream);  // an error that nobody takes back
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  const Product whole{*product,
                      *of_a,
                      *of_b,
                      *of_c,
                      *of_d,
                      *static_cast<const float*>(alpha),
                      *static_cast<const float*>(beta)};
  const cudaError_t error = laclip::simt::give(stream, [=] { whole.run(a, b, c, d); });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
