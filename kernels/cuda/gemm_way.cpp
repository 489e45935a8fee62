#include "kernels/cuda/gemm_way.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "base/timer.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/cuda/cublaslt.h"

namespace laclip::cuda {
namespace {

enum class Choice { automatic, own, library };

Choice choice() {
  static const Choice chosen = [] {
    const char* text = std::getenv("LACLIP_GEMM");
    const std::string_view word = text ? text : "auto";
    if (word == "own") return Choice::own;
    if (word == "library") {
      check(cublaslt_version() > 0, "LACLIP_GEMM=library, but there is no cuBLASLt");
      return Choice::library;
    }
    check(word == "auto", "LACLIP_GEMM is {}; it can be auto, own or library", word);
    return cuda_is_a_gpu() ? Choice::automatic : Choice::own;
  }();
  return chosen;
}

fs::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) return fs::path(cache) / "laclip";
  if (const char* home = std::getenv("HOME")) return fs::path(home) / ".cache" / "laclip";
  return "laclip-cache";
}

WayFile& ways_of_this_gpu() {
  constexpr int kOwnRevision = 2;  // goes up when the own kernels become faster
  static WayFile file(cache_folder() / fmt::format("products-{}.json", cuda_device_name()),
                      fmt::format("{}, cuBLASLt {}, own {}", cuda_device_name(), cublaslt_version(),
                                  kOwnRevision));
  return file;
}

// Room for a result beside `real`, at an address of the same alignment, so that the library offers
// the same algorithms; null where real is.
class Room {
 public:
  Room(const void* real, int64_t bytes)
      : offset_(reinterpret_cast<uintptr_t>(real) % 256),
        memory_("a product that is timed", real ? bytes + 256 : 0, Device::cuda),
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
  Recorded(Stream& stream, const Gemm& g, const GemmOperands& operands, int way) : stream_(stream) {
    gemm_by(stream, g, operands, way);  // memory grows
    cuda_begin_recording(stream.handle());
    try {
      for (int call = 0; call < kCalls; ++call) gemm_by(stream, g, operands, way);
    } catch (...) {
      cuda_drop_recording(stream.handle());
      throw;
    }
    graph_ = cuda_end_recording(stream.handle());
    seconds();  // warms up
  }
  ~Recorded() { cuda_destroy_graph(graph_); }
  Recorded(const Recorded&) = delete;

  double seconds() const {  // of a call
    cuda_synchronize(stream_.handle());
    const Timer timer;
    cuda_launch_graph(graph_, stream_.handle());
    cuda_synchronize(stream_.handle());
    return timer.seconds() / kCalls;
  }

 private:
  static constexpr int kCalls = 10;
  Stream& stream_;
  void* graph_ = nullptr;
};

// Of this run, without a text for each product.
struct KnownWays {
  std::mutex mutex;
  std::map<ProductKind, int> of;
  std::set<ProductKind> refused;  // by the library
};
KnownWays& known_ways() {
  static KnownWays known;
  return known;
}

}  // namespace

std::optional<int> fastest_way(Stream& stream, const Gemm& g, const GemmOperands& operands,
                               int algorithms) {
  constexpr int kRounds = 3;
  const int64_t bytes = g.m * g.n * size_of(g.c_type);
  std::optional<Room> c, kept, sums;
  try {
    c.emplace(operands.c, bytes);
    kept.emplace(operands.kept, bytes);
    sums.emplace(operands.row_sums, 4 * g.m);
  } catch (const Error& error) {
    log_info("{}; this product takes the own kernels, unmeasured", error.what());
    return std::nullopt;
  }
  GemmOperands timed = operands;
  timed.c = c->data();
  timed.kept = kept->data();
  timed.row_sums = reinterpret_cast<float*>(sums->data());
  std::vector<std::unique_ptr<Recorded>> ways(size_t(algorithms) + 1);  // own kernels first
  std::vector<double> seconds(ways.size(), INFINITY);
  for (int way = kOwnKernels; way < algorithms; ++way) {
    try {
      ways[size_t(way + 1)] = std::make_unique<Recorded>(stream, g, timed, way);
    } catch (const Error& error) {
      if (way == kOwnKernels) throw;
      log_debug("{}", error.what());  // an algorithm that the library offers and does not do
    }
  }
  for (int round = 0; round < kRounds; ++round)
    for (size_t i = 0; i < ways.size(); ++i)
      if (ways[i]) seconds[i] = std::min(seconds[i], ways[i]->seconds());
  const auto fastest = std::min_element(seconds.begin(), seconds.end()) - seconds.begin();
  log_debug("product {}: own {:.1f} us, best {:.1f} us by {}", ProductKind(g, operands).text(),
            1e6 * seconds[0], 1e6 * seconds[size_t(fastest)], fastest - 1);
  return int(fastest) - 1;
}

int way_of(Stream& stream, const Gemm& g, const GemmOperands& operands) {
  if (choice() == Choice::own) return kOwnKernels;
  const int algorithms = cublaslt_algorithms(g, operands);
  if (algorithms == 0) return kOwnKernels;
  if (choice() == Choice::library) return 0;
  const ProductKind kind(g, operands);
  KnownWays& known = known_ways();
  const std::lock_guard lock(known.mutex);
  if (known.refused.count(kind)) return kOwnKernels;
  auto found = known.of.find(kind);
  if (found == known.of.end()) {
    const int way = ways_of_this_gpu().way(kind.text(), [&] {
      return fastest_way(stream, g, operands, algorithms);
    });
    found = known.of.emplace(kind, way).first;
  }
  return std::min(found->second, algorithms - 1);  // a number of rows nearby can have fewer
}

void refuse_library(const Gemm& g, const GemmOperands& operands, const Error& error) {
  if (choice() == Choice::library) throw error;  // who asks for the library is told
  const ProductKind kind(g, operands);
  KnownWays& known = known_ways();
  const std::lock_guard lock(known.mutex);
  if (known.refused.insert(kind).second)
    log_warning("{}; products {} take the own kernels", error.what(), kind.text());
}

ProductKind::ProductKind(const Gemm& g, const GemmOperands& operands)
    : shape(g),
      bias(operands.bias),
      skip(operands.skip),
      kept(operands.kept),
      row_sums(operands.row_sums) {
  const auto octave = std::bit_floor(uint64_t(std::max<int64_t>(g.m, 1)));
  const auto step = std::max<uint64_t>(octave / 8, 1);
  shape.m = int64_t((uint64_t(g.m) + step - 1) / step * step);
}

std::string ProductKind::text() const {
  const auto sign = [](bool given, const char* name) { return given ? name : ""; };
  const Gemm& g = shape;
  return fmt::format("{}x{}x{} {}{} {} to {}{}{}{}{}{}{}", g.m, g.n, g.k,
                     g.a == Layout::plain ? "n" : "t", g.b == Layout::plain ? "n" : "t",
                     name_of(g.type), name_of(g.c_type), sign(g.accumulate, ", adds"),
                     g.epilogue == Epilogue::activation ? ", activation"
                     : g.epilogue == Epilogue::slope    ? ", slope"
                                                        : "",
                     sign(bias, ", bias"), sign(skip, ", skip"), sign(kept, ", kept"),
                     sign(row_sums, ", row sums"));
}

WayFile::WayFile(fs::path path, std::string about)
    : path_(std::move(path)), about_(std::move(about)), ways_(read()) {}

std::map<std::string, int> WayFile::read() const {
  if (!fs::exists(path_)) return {};
  try {
    const Json file = read_json(path_);
    if (json_field<std::string>(file, "about", path_.string()) != about_) return {};
    return json_field<std::map<std::string, int>>(file, "ways", path_.string());
  } catch (const Error& error) {
    log_warning("{}; products are measured anew", error.what());
    return {};
  }
}

int WayFile::way(const std::string& key, const std::function<std::optional<int>()>& measure) {
  const std::lock_guard lock(mutex_);
  const auto found = ways_.find(key);
  if (found != ways_.end()) return found->second;
  if (unmeasured_.count(key)) return kOwnKernels;
  if (ways_.empty()) log_info("timing matrix products for this GPU, once; {}", path_.string());
  const std::optional<int> way = measure();
  if (!way) {
    unmeasured_.insert(key);
    return kOwnKernels;
  }
  ways_[key] = *way;
  save();
  return *way;
}

void WayFile::save() {
  if (!writable_) return;
  try {
    make_folders(path_.parent_path());
    ways_.merge(read());  // ours come first
    write_atomically(path_, Json{{"about", about_}, {"ways", ways_}}.dump(1) + "\n");
  } catch (const Error& error) {
    writable_ = false;
    log_warning("{}; products are measured in every run", error.what());
  }
}

}  // namespace laclip::cuda
