#include "kernels/cuda/gemm_way.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/timer.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/cuda/cublaslt.h"

namespace laclip::cuda {
namespace {

enum class Choice { automatic, own, library, library_bgrad };

Choice choice() {
  static const Choice chosen = [] {
    const char* text = std::getenv("LACLIP_GEMM");
    const std::string_view word = text ? text : "auto";
    if (word == "own") return Choice::own;
    if (word == "library" || word == "library-bgrad") {
      check(cublaslt_version() > 0, "LACLIP_GEMM={}, but there is no cuBLASLt", word);
      return word == "library" ? Choice::library : Choice::library_bgrad;
    }
    check(word == "auto", "LACLIP_GEMM is {}; it can be auto, own, library or library-bgrad", word);
    return cuda_is_a_gpu() ? Choice::automatic : Choice::own;
  }();
  return chosen;
}

fs::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) return fs::path(cache) / "laclip";
  if (const char* home = std::getenv("HOME")) return fs::path(home) / ".cache" / "laclip";
  return "laclip-cache";
}

AlgorithmFile& algorithms_of_this_gpu() {
  constexpr int kBuiltInRevision = 3;  // goes up when the built-in kernels become faster
  const auto file_name = [] {
    std::string gpu = cuda_device_name();
    for (char& c : gpu)
      if (!std::isalnum(static_cast<unsigned char>(c))) c = '-';
    return fmt::format("gemm-{}.json", gpu);
  };
  static AlgorithmFile file(cache_folder() / file_name(),
                            fmt::format("{}, {}, built-in {}", cuda_device_name(), cublaslt_name(),
                                        kBuiltInRevision));
  return file;
}

// Room for a result beside `real`, at an address of the same alignment, so that the library offers
// the same algorithms; null where real is.
class Room {
 public:
  Room(const void* real, int64_t bytes)
      : offset_(reinterpret_cast<uintptr_t>(real) % 256),
        memory_("a GEMM that is timed", real ? bytes + 256 : 0, Device::cuda),
        there_(real) {}
  std::byte* data() const { return there_ ? memory_.data() + offset_ : nullptr; }

 private:
  uintptr_t offset_;
  Buffer memory_;
  bool there_;
};

// Some calls as a graph, as in training: the host's work for them does not count.
class Recorded {
 public:
  Recorded(Stream& stream, const Gemm& g, const GemmOperands& operands,
           const GemmAlgorithm& algorithm)
      : stream_(stream) {
    gemm_by(stream, g, operands, algorithm);  // memory grows
    cuda_begin_recording(stream.handle());
    try {
      for (int call = 0; call < kCalls; ++call) gemm_by(stream, g, operands, algorithm);
    } catch (...) {
      cuda_drop_recording(stream.handle());
      throw;
    }
    graph_.reset(cuda_end_recording(stream.handle()));
    seconds();  // warms up
  }

  double seconds() const {  // of a call
    cuda_synchronize(stream_.handle());
    const Timer timer;
    cuda_launch_graph(graph_.get(), stream_.handle());
    cuda_synchronize(stream_.handle());
    return timer.seconds() / kCalls;
  }

 private:
  static constexpr int kCalls = 10;
  struct DestroyGraph {
    void operator()(void* graph) const { cuda_destroy_graph(graph); }
  };
  Stream& stream_;
  std::unique_ptr<void, DestroyGraph> graph_;
};

// Of this run, without a text for each GEMM.
struct Known {
  struct Kind {
    GemmAlgorithm algorithm;
    GemmOffer offer;
    bool used = false;  // since take_used_algorithms()
  };
  std::mutex mutex;
  std::map<GemmKind, Kind> of;
  std::set<GemmKind> refused;  // by the library
};
thread_local GemmOffer last_offer;
Known& known() {
  static Known known;
  return known;
}

// Where a GEMM can be timed without harm: its own result, which it overwrites in any case, or memory beside
// it.
class Places {
 public:
  Places(const Gemm& g, const GemmOperands& operands) : timed(operands) {
    if (!g.accumulate && !reads_its_result(g, operands)) return;
    const int64_t bytes = g.m * g.n * size_of(g.c_type);
    c_.emplace(operands.c, bytes);
    kept_.emplace(operands.kept, bytes);
    sums_.emplace(operands.row_sums, 4 * g.m);
    timed.c = c_->data();
    timed.kept = kept_->data();
    timed.row_sums = reinterpret_cast<float*>(sums_->data());
  }
  GemmOperands timed;

 private:
  static bool reads_its_result(const Gemm& g, const GemmOperands& o) {
    const auto begin = reinterpret_cast<uintptr_t>(o.c);
    const auto end = begin + uintptr_t(g.m * g.n * size_of(g.c_type));
    const auto overlaps = [&](const void* at, int64_t elements) {
      const auto first = reinterpret_cast<uintptr_t>(at);
      return at && first < end && begin < first + uintptr_t(elements * size_of(g.type));
    };
    return overlaps(o.a, g.m * g.k) || overlaps(o.b, g.k * g.n) || overlaps(o.bias, g.n) ||
           overlaps(o.skip, g.m * g.n) || overlaps(o.u, g.m * g.n);
  }

  std::optional<Room> c_, kept_, sums_;
};

}  // namespace

std::vector<GemmAlgorithm> library_algorithms(const Gemm& g, const GemmOperands& operands) {
  using Maker = GemmAlgorithm::Maker;
  constexpr size_t kMostWithSumsApart = 4;
  std::vector<GemmAlgorithm> all;
  if (operands.row_sums) {
    GemmOperands sum = operands;
    sum.row_sums = nullptr;
    for (const CublasltAlgorithm& one : cublaslt_algorithms(g, sum))
      if (all.size() < kMostWithSumsApart) all.push_back({Maker::library_then_sums, one});
  }
  for (const CublasltAlgorithm& one : cublaslt_algorithms(g, operands))
    all.push_back({Maker::library, one});
  return all;
}

GemmAlgorithm fitting(const GemmAlgorithm& algorithm, const Gemm& g, const GemmOperands& operands) {
  using Maker = GemmAlgorithm::Maker;
  if (algorithm.maker == Maker::built_in) return algorithm;
  GemmOperands asked = operands;
  if (algorithm.maker == Maker::library_then_sums) asked.row_sums = nullptr;
  const auto fits = cublaslt_fitting(g, asked, algorithm.of_library);
  return fits ? GemmAlgorithm{algorithm.maker, *fits} : GemmAlgorithm{};
}

std::optional<GemmAlgorithm> fastest(Stream& stream, const Gemm& g, const GemmOperands& operands,
                                     const std::vector<GemmAlgorithm>& candidates) {
  constexpr int kRounds = 3;
  std::optional<Places> places;
  try {
    places.emplace(g, operands);
  } catch (const Error& error) {
    log_info(
        "there is no memory to time GEMMs {}; they take the library's first algorithm in this run",
        GemmKind(g, operands).text());
    log_debug("{}", error.what());
    return std::nullopt;
  }
  struct Candidate {
    GemmAlgorithm algorithm;
    std::unique_ptr<Recorded> recorded;
    double seconds = INFINITY;
  };
  std::vector<Candidate> all;
  const auto add = [&](const GemmAlgorithm& one) {
    try {
      all.push_back({one, std::make_unique<Recorded>(stream, g, places->timed, one)});
    } catch (const Error& error) {  // no memory, or what the library offers and does not do
      cuda_forget_error();
      log_debug("{}", error.what());
    }
  };
  add({});
  std::for_each(candidates.begin(), candidates.end(), add);
  if (all.empty()) return std::nullopt;
  for (int round = 0; round < kRounds; ++round)
    for (Candidate& one : all) one.seconds = std::min(one.seconds, one.recorded->seconds());
  const Candidate& best =
      *std::min_element(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
        return a.seconds < b.seconds;
      });
  log_debug("GEMM {}: {} {:.1f} us, best {:.1f} us by {}", GemmKind(g, operands).text(),
            description(all[0].algorithm), 1e6 * all[0].seconds, 1e6 * best.seconds,
            best.algorithm.text());
  return best.algorithm;
}

GemmAlgorithm autotuned(Stream& stream, const Gemm& g, const GemmOperands& operands) {
  last_offer = {};
  if (choice() == Choice::own) return {};
  const GemmKind kind(g, operands);
  Known& run = known();
  const std::lock_guard lock(run.mutex);
  if (run.refused.count(kind)) return {};
  auto found = run.of.find(kind);
  if (found == run.of.end()) {
    const std::vector<GemmAlgorithm> candidates = library_algorithms(g, operands);
    GemmAlgorithm algorithm = candidates.empty() ? GemmAlgorithm{} : candidates.front();
    const auto is_whole = [](const GemmAlgorithm& one) {
      return one.maker == GemmAlgorithm::Maker::library;
    };
    const auto whole = std::find_if(candidates.begin(), candidates.end(), is_whole);
    if (choice() == Choice::library_bgrad && whole != candidates.end()) algorithm = *whole;
    if (choice() == Choice::automatic && !candidates.empty())
      algorithm =
          algorithms_of_this_gpu()
              .algorithm(kind.text(), [&] { return fastest(stream, g, operands, candidates); })
              .value_or(algorithm);
    const auto count = int(std::count_if(candidates.begin(), candidates.end(), is_whole));
    const GemmOffer offer{count, int(candidates.size()) - count};
    found = run.of.emplace(kind, Known::Kind{algorithm, offer}).first;
  }
  found->second.used = true;
  last_offer = found->second.offer;
  return fitting(found->second.algorithm, g, operands);
}

GemmOffer gemm_offer() { return last_offer; }

std::string description(const GemmAlgorithm& algorithm) {
  using Maker = GemmAlgorithm::Maker;
  if (algorithm.maker == Maker::built_in) return "built-in";
  return fmt::format("{} {}{}", cublaslt_name(), cublaslt_text(algorithm.of_library),
                     algorithm.maker == Maker::library_then_sums ? ", then row sums" : "");
}

std::map<std::string, std::string> take_used_algorithms() {
  Known& run = known();
  const std::lock_guard lock(run.mutex);
  std::map<std::string, std::string> used;
  for (auto& [kind, chosen] : run.of)
    if (std::exchange(chosen.used, false))
      used[kind.text()] = description(run.refused.count(kind) ? GemmAlgorithm{} : chosen.algorithm);
  return used;
}

void refuse_library(const Gemm& g, const GemmOperands& operands, const Error& error) {
  if (choice() == Choice::library || choice() == Choice::library_bgrad)
    throw error;  // who asks for the library is told
  const GemmKind kind(g, operands);
  Known& run = known();
  const std::lock_guard lock(run.mutex);
  if (run.refused.insert(kind).second)
    log_warning("{}; GEMMs {} take the built-in kernels", error.what(), kind.text());
}

GemmKind::GemmKind(const Gemm& g, const GemmOperands& operands)
    : shape(g),
      bias(operands.bias),
      skip(operands.skip),
      kept(operands.kept),
      row_sums(operands.row_sums) {
  uintptr_t addresses = 16;  // null is a multiple of anything
  for (const void* at :
       {static_cast<const void*>(operands.c), operands.a, operands.b, operands.bias, operands.skip,
        operands.u, static_cast<const void*>(operands.kept),
        static_cast<const void*>(operands.row_sums)})
    addresses |= reinterpret_cast<uintptr_t>(at);
  alignment = 1 << std::countr_zero(addresses);
  const auto octave = std::bit_floor(uint64_t(std::max<int64_t>(g.m, 1)));
  const auto step = std::max<uint64_t>(octave / 8, 1);
  shape.m = int64_t((uint64_t(g.m) + step - 1) / step * step);
}

std::string GemmKind::text() const {
  const auto sign = [](bool given, const char* name) { return given ? name : ""; };
  const Gemm& g = shape;
  return fmt::format("{}x{}x{} {}{} {} to {}{}{}{}{}{}{}{}", g.m, g.n, g.k,
                     g.a == Layout::plain ? "n" : "t", g.b == Layout::plain ? "n" : "t",
                     name_of(g.type), name_of(g.c_type), sign(g.accumulate, ", adds"),
                     g.epilogue == Epilogue::activation ? ", activation"
                     : g.epilogue == Epilogue::slope    ? ", slope"
                                                        : "",
                     sign(bias, ", bias"), sign(skip, ", skip"), sign(kept, ", kept"),
                     sign(row_sums, ", row sums"),
                     alignment < 16 ? fmt::format(", alignment {}", alignment) : "");
}

AlgorithmFile::AlgorithmFile(fs::path path, std::string about)
    : path_(std::move(path)), about_(std::move(about)), algorithms_(read()) {}

std::map<std::string, GemmAlgorithm> AlgorithmFile::read() {
  if (foreign_ || !fs::exists(path_)) return {};
  try {
    const Json file = read_json(path_);
    const auto about = json_field<std::string>(file, "about", path_.string());
    check(about == about_, "{} is about {}, and this is {}", path_.string(), about, about_);
    std::map<std::string, GemmAlgorithm> algorithms;
    for (const auto& [kind, text] :
         json_field<std::map<std::string, std::string>>(file, "algorithms", path_.string())) {
      const auto algorithm = GemmAlgorithm::parse(text);
      check(algorithm.has_value(), "{}: {}: \"{}\" is no algorithm", path_.string(), kind, text);
      algorithms[kind] = *algorithm;
    }
    return algorithms;
  } catch (const Error& error) {
    foreign_ = true;
    log_warning("{}; GEMMs are timed anew", error.what());
    return {};
  }
}

std::optional<GemmAlgorithm> AlgorithmFile::algorithm(
    const std::string& kind, const std::function<std::optional<GemmAlgorithm>()>& measure) {
  const std::lock_guard lock(mutex_);
  const auto found = algorithms_.find(kind);
  if (found != algorithms_.end()) return found->second;
  if (unmeasured_.count(kind)) return std::nullopt;
  if (algorithms_.empty()) log_info("timing GEMMs for this GPU, once; {}", path_.string());
  const std::optional<GemmAlgorithm> measured = measure();
  if (!measured) {
    unmeasured_.insert(kind);
    return std::nullopt;
  }
  algorithms_[kind] = *measured;
  save();
  return measured;
}

void AlgorithmFile::save() {
  if (!writable_) return;
  try {
    make_folders(path_.parent_path());
    algorithms_.merge(read());  // ours come first
    std::map<std::string, std::string> texts;
    for (const auto& [kind, algorithm] : algorithms_) texts[kind] = algorithm.text();
    write_atomically(path_, Json{{"about", about_}, {"algorithms", texts}}.dump(1) + "\n");
    foreign_ = false;
  } catch (const Error& error) {
    writable_ = false;
    log_warning("{}; GEMMs are timed in every run", error.what());
  }
}

}  // namespace laclip::cuda
