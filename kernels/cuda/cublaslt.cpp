#include "kernels/cuda/cublaslt.h"

#ifdef LACLIP_SIMT
#include "kernels/simt/cublaslt.h"
#else
#include <cublasLt.h>
#include <dlfcn.h>
#endif

#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace laclip::cuda {
namespace {

constexpr int kMostAlgorithms = 8;

#ifdef LACLIP_SIMT
void* open_library() {
  static char stand_in;
  return &stand_in;
}
#define LACLIP_FUNCTION(member, function) decltype(&function) member = &function
#else
void* open_library() {
  return dlopen(("libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR)).c_str(), RTLD_NOW);
}
// Null where there is no library; `whole` tells that one is missing.
void* find(void* file, const char* name, bool& whole) {
  void* at = file ? dlsym(file, name) : nullptr;
  whole = whole && at;
  return at;
}
#define LACLIP_FUNCTION(member, function) \
  decltype(&function) member = reinterpret_cast<decltype(&function)>(find(file, #function, whole))
#endif

struct Library {
  void* file = open_library();  // before the functions, which are found in it
  bool whole = file != nullptr;
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
  LACLIP_FUNCTION(matmul, cublasLtMatmul);
  cublasLtHandle_t handle = nullptr;

  Library() {
    if (!whole || create(&handle) != CUBLAS_STATUS_SUCCESS) handle = nullptr;
  }
};
#undef LACLIP_FUNCTION

const Library* library() {
  static const Library opened;
  return opened.handle ? &opened : nullptr;
}

void check_status(cublasStatus_t status, const Gemm& g) {
  check(status == CUBLAS_STATUS_SUCCESS, "cuBLASLt: status {} for a product [{} {} {}] in {}",
        int(status), g.m, g.n, g.k, name_of(g.type));
}

cudaDataType_t type_of(DType type) { return type == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

// The address's own, up to what the library asks for by default.
uint32_t alignment_of(const void* at) {
  const auto address = reinterpret_cast<uintptr_t>(at);
  return address % 256 == 0 ? 256 : uint32_t(1) << std::countr_zero(address);
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

class Prepared {
 public:
  Prepared(const Library& lib, const Problem& p) : lib_(lib), shape_(p.shape) {
    const Gemm& g = p.shape;
    const auto transposed = Layout::transposed;
    check_status(lib.create_product(&product_, CUBLAS_COMPUTE_32F, CUDA_R_32F), g);
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
    g.b == transposed ? by_columns(&a_, g.type, g.k, g.n) : by_columns(&a_, g.type, g.n, g.k);
    g.a == transposed ? by_columns(&b_, g.type, g.m, g.k) : by_columns(&b_, g.type, g.k, g.m);
    by_columns(&c_, g.c_type, g.n, g.m);
    ask(p);
  }
  ~Prepared() {
    lib_.destroy_layout(a_);
    lib_.destroy_layout(b_);
    lib_.destroy_layout(c_);
    lib_.destroy_product(product_);
  }
  Prepared(const Prepared&) = delete;

  int algorithms() const { return int(found_.size()); }

  void run(Stream& stream, const GemmOperands& o, int algorithm, void* workspace) {
    const void* vector = o.row_sums ? o.row_sums : o.bias;
    if (vector) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
    const bool adds = shape_.accumulate || o.skip;
    const float one = 1, beta = adds ? 1.0f : 0.0f;
    check_status(lib_.matmul(lib_.handle, product_, &one, o.b, a_, o.a, b_, &beta,
                             o.skip ? o.skip : o.c, c_, o.c, c_, &found_[size_t(algorithm)].algo,
                             workspace, size_t(kCublasltWorkspace),
                             static_cast<cudaStream_t>(stream.handle())),
                 shape_);
  }

 private:
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, Value value) {
    check_status(lib_.set_product(product_, attribute, &value, sizeof value), shape_);
  }

  void ask(const Problem& p) {
    cublasLtMatmulPreference_t preference;
    check_status(lib_.create_preference(&preference), shape_);
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
    found_.resize(kMostAlgorithms);
    int count = 0;
    const cublasStatus_t status = lib_.heuristic(lib_.handle, product_, a_, b_, c_, c_, preference,
                                                 kMostAlgorithms, found_.data(), &count);
    lib_.destroy_preference(preference);
    found_.resize(status == CUBLAS_STATUS_SUCCESS ? size_t(count) : 0);
    std::erase_if(found_, [](const auto& one) { return one.state != CUBLAS_STATUS_SUCCESS; });
  }

  const Library& lib_;
  Gemm shape_;
  cublasLtMatmulDesc_t product_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, c_ = nullptr;
  std::vector<cublasLtMatmulHeuristicResult_t> found_;
};

std::mutex preparing;

// What is prepared for a product, or null where the library cannot be asked. Text batches bring ever new
// numbers of rows, so it is bounded.
Prepared* prepared(const Gemm& g, const GemmOperands& operands) {
  static std::map<Problem, std::unique_ptr<Prepared>> all;
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

int cublaslt_algorithms(const Gemm& g, const GemmOperands& operands) {
  const std::lock_guard lock(preparing);
  const Prepared* product = prepared(g, operands);
  return product ? product->algorithms() : 0;
}

void cublaslt_gemm(Stream& stream, const Gemm& g, const GemmOperands& operands, int algorithm,
                   void* workspace) {
  const std::lock_guard lock(preparing);
  Prepared* product = prepared(g, operands);
  const int count = product ? product->algorithms() : 0;
  check(algorithm < count, "cuBLASLt: algorithm {} of {} for a product [{} {} {}]", algorithm,
        count, g.m, g.n, g.k);
  product->run(stream, operands, algorithm, workspace);
}

}  // namespace laclip::cuda
