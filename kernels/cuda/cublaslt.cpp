#include "kernels/cuda/cublaslt.h"

#ifdef LACLIP_SIMT
#include "kernels/simt/cublaslt.h"
#else
#include <cublasLt.h>

#include "base/log.h"
#include "kernels/cuda/shared_library.h"
#endif

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "kernels/core/cuda_runtime.h"

namespace laclip::cuda {
namespace {

constexpr int kMostAlgorithms = 8;

#ifdef LACLIP_SIMT  // the stand-in is a part of this program
#define LACLIP_FUNCTION(member, symbol) decltype(&symbol) member = &symbol
#else
#define LACLIP_FUNCTION(member, symbol) \
  decltype(&symbol) member = file.function<std::remove_pointer_t<decltype(&symbol)>>(#symbol)
#endif

struct Library {
#ifndef LACLIP_SIMT
  SharedLibrary file{fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR), "LACLIP_CUBLASLT"};
#endif
  LACLIP_FUNCTION(version, cublasLtGetVersion);
  LACLIP_FUNCTION(create, cublasLtCreate);
  LACLIP_FUNCTION(create_product, cublasLtMatmulDescCreate);
  LACLIP_FUNCTION(destroy_product, cublasLtMatmulDescDestroy);
  LACLIP_FUNCTION(set_product, cublasLtMatmulDescSetAttribute);
  LACLIP_FUNCTION(create_layout, cublasLtMatrixLayoutCreate);
  LACLIP_FUNCTION(destroy_layout, cublasLtMatrixLayoutDestroy);
  LACLIP_FUNCTION(create_preference, cublasLtMatmulPreferenceCreate);
  LACLIP_FUNCTION(destroy_preference, cublasLtMatmulPreferenceDestroy);
  LACLIP_FUNCTION(set_preference, cublasLtMatmulPreferenceSetAttribute);
  LACLIP_FUNCTION(heuristic, cublasLtMatmulAlgoGetHeuristic);
  LACLIP_FUNCTION(check_algorithm, cublasLtMatmulAlgoCheck);
  LACLIP_FUNCTION(describe, cublasLtMatmulAlgoConfigGetAttribute);
  LACLIP_FUNCTION(matmul, cublasLtMatmul);
  cublasLtHandle_t handle = nullptr;

  Library() {
    if (whole() && create(&handle) != CUBLAS_STATUS_SUCCESS) {
      handle = nullptr;
      cuda_forget_error();  // the next launch would report it
    }
#ifndef LACLIP_SIMT
    if (!handle && cuda_is_a_gpu())
      log_warning(
          "{}; without it all GEMMs take the built-in kernels, which are slower on large ones",
          file ? file.path() + ": this cuBLASLt cannot be used" : file.cure());
#endif
  }
  bool whole() const {
    return version && create && create_product && destroy_product && set_product && create_layout &&
           destroy_layout && create_preference && destroy_preference && set_preference &&
           heuristic && check_algorithm && describe && matmul;
  }
};
#undef LACLIP_FUNCTION

const Library* library() {
  static const Library opened;
  return opened.handle ? &opened : nullptr;
}

static_assert(sizeof(CublasltAlgorithm) == sizeof(cublasLtMatmulAlgo_t));
CublasltAlgorithm words_of(const cublasLtMatmulAlgo_t& algorithm) {
  return std::bit_cast<CublasltAlgorithm>(algorithm);
}
cublasLtMatmulAlgo_t of_words(const CublasltAlgorithm& words) {
  return std::bit_cast<cublasLtMatmulAlgo_t>(words);
}

void check_status(cublasStatus_t status, const Gemm& g) {
  check(status == CUBLAS_STATUS_SUCCESS, "cuBLASLt: status {} for a product [{} {} {}] in {}",
        int(status), g.m, g.n, g.k, name_of(g.type));
}

cudaDataType_t type_of(DType type) { return type == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

// The address's own, up to what the library's widest accesses need. An algorithm is taken for all
// GEMMs of a kind (GemmKind), whose operands have no more than this in common.
uint32_t alignment_of(const void* at) {
  return uint32_t(1) << std::countr_zero(reinterpret_cast<uintptr_t>(at) | 16);
}

// What the library has to know before it names algorithms. Its matrices are stored by columns, so
// it makes cᵀ[N M] = bᵀ aᵀ, and its A is b, its B is a.
struct Problem {
  Gemm shape;
  bool bias, skip, row_sums;
  uint32_t align_a, align_b, align_c, align_skip, align_vector;  // vector: bias or row sums

  Problem(const Gemm& g, const GemmOperands& o)
      : shape(g),
        bias(o.bias),
        skip(o.skip),
        row_sums(o.row_sums),
        align_a(alignment_of(o.a)),
        align_b(alignment_of(o.b)),
        align_c(alignment_of(o.c)),
        align_skip(alignment_of(o.skip)),
        align_vector(alignment_of(o.row_sums ? o.row_sums : o.bias)) {
    shape.epilogue = Epilogue::sum;
    shape.kind = {};
  }
  auto operator<=>(const Problem&) const = default;
};

// One of the library's objects.
template <class Handle>
struct Owned {
  cublasStatus_t (*destroy)(Handle);
  Handle handle = nullptr;

  explicit Owned(cublasStatus_t (*how)(Handle)) : destroy(how) {}
  ~Owned() {
    if (handle) destroy(handle);
  }
  Owned(const Owned&) = delete;
  Handle* place() { return &handle; }
  operator Handle() const { return handle; }
};

class Prepared {
 public:
  Prepared(const Library& lib, const Problem& p)
      : lib_(lib),
        shape_(p.shape),
        product_(lib.destroy_product),
        a_(lib.destroy_layout),
        b_(lib.destroy_layout),
        c_(lib.destroy_layout) {
    const Gemm& g = p.shape;
    const auto transposed = Layout::transposed;
    check_status(lib.create_product(product_.place(), CUBLAS_COMPUTE_32F, CUDA_R_32F), g);
    set(CUBLASLT_MATMUL_DESC_TRANSA, g.b == transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, g.a == transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (p.bias) set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    if (p.row_sums) set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BGRADB);
    // The heuristic reads the alignment off the address, not what is there.
    if (p.bias || p.row_sums)
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, reinterpret_cast<void*>(uintptr_t(p.align_vector)));
    const auto by_columns = [&](cublasLtMatrixLayout_t* layout, DType type, int64_t rows,
                                int64_t columns) {
      check_status(lib.create_layout(layout, type_of(type), uint64_t(rows), uint64_t(columns),
                                     rows),
                   g);
    };
    g.b == transposed ? by_columns(a_.place(), g.type, g.k, g.n)
                      : by_columns(a_.place(), g.type, g.n, g.k);
    g.a == transposed ? by_columns(b_.place(), g.type, g.m, g.k)
                      : by_columns(b_.place(), g.type, g.k, g.m);
    by_columns(c_.place(), g.c_type, g.n, g.m);
    ask(p);
  }
  const std::vector<CublasltAlgorithm>& algorithms() const { return found_; }

  // What a file or another number of rows has named is not always possible here.
  bool takes(const CublasltAlgorithm& algorithm) {
    if (std::find(found_.begin(), found_.end(), algorithm) != found_.end()) return true;
    for (const auto& [checked, taken] : checked_)
      if (checked == algorithm) return taken;
    const cublasLtMatmulAlgo_t wanted = of_words(algorithm);
    cublasLtMatmulHeuristicResult_t result{};
    const bool taken = lib_.check_algorithm(lib_.handle, product_, a_, b_, c_, c_, &wanted,
                                            &result) == CUBLAS_STATUS_SUCCESS &&
                       result.state == CUBLAS_STATUS_SUCCESS &&
                       result.workspaceSize <= size_t(kCublasltWorkspace);
    checked_.emplace_back(algorithm, taken);
    return taken;
  }

  void run(Stream& stream, const GemmOperands& o, const CublasltAlgorithm& algorithm,
           void* workspace) {
    const void* vector = o.row_sums ? o.row_sums : o.bias;
    if (vector) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
    const bool adds = shape_.accumulate || o.skip;
    const float one = 1, beta = adds ? 1.0f : 0.0f;
    const cublasLtMatmulAlgo_t chosen = of_words(algorithm);
    check_status(lib_.matmul(lib_.handle, product_, &one, o.b, a_, o.a, b_, &beta,
                             o.skip ? o.skip : o.c, c_, o.c, c_, &chosen, workspace,
                             size_t(kCublasltWorkspace),
                             static_cast<cudaStream_t>(stream.handle())),
                 shape_);
  }

 private:
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, Value value) {
    check_status(lib_.set_product(product_, attribute, &value, sizeof value), shape_);
  }

  void ask(const Problem& p) {
    Owned<cublasLtMatmulPreference_t> preference(lib_.destroy_preference);
    check_status(lib_.create_preference(preference.place()), shape_);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      check_status(lib_.set_preference(preference, attribute, &value, sizeof value), shape_);
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, size_t(kCublasltWorkspace));
    // Parts of K are added in fp32, never in the type of the result.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           uint32_t(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, p.align_b);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, p.align_a);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, p.skip ? p.align_skip : p.align_c);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, p.align_c);
    cublasLtMatmulHeuristicResult_t found[kMostAlgorithms];
    int count = 0;
    const cublasStatus_t status = lib_.heuristic(lib_.handle, product_, a_, b_, c_, c_, preference,
                                                 kMostAlgorithms, found, &count);
    if (status != CUBLAS_STATUS_SUCCESS) return;
    for (int i = 0; i < count; ++i)
      if (found[i].state == CUBLAS_STATUS_SUCCESS) found_.push_back(words_of(found[i].algo));
  }

  const Library& lib_;
  Gemm shape_;
  Owned<cublasLtMatmulDesc_t> product_;
  Owned<cublasLtMatrixLayout_t> a_, b_, c_;
  std::vector<CublasltAlgorithm> found_;  // best first
  std::vector<std::pair<CublasltAlgorithm, bool>> checked_;
};

std::mutex preparing;

// What is prepared for a product, or null where the library cannot be asked. Text batches bring ever new
// numbers of rows, so it is bounded.
Prepared* prepared(const Gemm& g, const GemmOperands& operands) {
  // Never destroyed: the library's own statics, registered when it was opened, would go before it.
  static auto& all = *new std::map<Problem, std::unique_ptr<Prepared>>;
  constexpr size_t kMost = 1024;
  const Library* lib = library();
  // Mixed types of bias and result are not among those that the library documents.
  if (!lib || g.m == 0 || g.n == 0 || g.k == 0 || (operands.bias && g.c_type != g.type))
    return nullptr;
  const Problem problem{g, operands};
  const auto found = all.find(problem);
  if (found != all.end()) return found->second.get();
  if (all.size() == kMost) all.clear();
  return (all[problem] = std::make_unique<Prepared>(*lib, problem)).get();
}

}  // namespace

int64_t cublaslt_version() { return library() ? int64_t(library()->version()) : 0; }

std::string cublaslt_name() {
  const int64_t version = cublaslt_version();  // 130100 is 13.1.0
  if (version == 0) return "";
  return fmt::format("cuBLASLt {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

std::string cublaslt_text(const CublasltAlgorithm& algorithm) {
  const Library* lib = library();
  const cublasLtMatmulAlgo_t described = of_words(algorithm);
  const auto number = [&](cublasLtMatmulAlgoConfigAttributes_t attribute) {
    int32_t value = -1;
    size_t written = 0;
    if (lib) lib->describe(&described, attribute, &value, sizeof value, &written);
    return value;
  };
  const int parts = number(CUBLASLT_ALGO_CONFIG_SPLITK_NUM);
  return fmt::format("algorithm {}, tile {}, stages {}{}", number(CUBLASLT_ALGO_CONFIG_ID),
                     number(CUBLASLT_ALGO_CONFIG_TILE_ID), number(CUBLASLT_ALGO_CONFIG_STAGES_ID),
                     parts > 1 ? fmt::format(", {} parts of K", parts) : "");
}

std::vector<CublasltAlgorithm> cublaslt_algorithms(const Gemm& g, const GemmOperands& operands) {
  const std::lock_guard lock(preparing);
  const Prepared* product = prepared(g, operands);
  return product ? product->algorithms() : std::vector<CublasltAlgorithm>{};
}

std::optional<CublasltAlgorithm> cublaslt_fitting(const Gemm& g, const GemmOperands& operands,
                                                  const CublasltAlgorithm& wanted) {
  const std::lock_guard lock(preparing);
  Prepared* product = prepared(g, operands);
  if (!product) return std::nullopt;
  if (product->takes(wanted)) return wanted;
  if (product->algorithms().empty()) return std::nullopt;
  return product->algorithms().front();
}

void cublaslt_gemm(Stream& stream, const Gemm& g, const GemmOperands& operands,
                   const CublasltAlgorithm& algorithm, void* workspace) {
  const std::lock_guard lock(preparing);
  Prepared* product = prepared(g, operands);
  check(product && product->takes(algorithm), "cuBLASLt: no such algorithm for a GEMM [{} {} {}]",
        g.m, g.n, g.k);
  product->run(stream, operands, algorithm, workspace);
}

}  // namespace laclip::cuda
