#include "kernels/cpu/gemm.h"

#include <algorithm>

#include "base/check.h"
#include "base/parallel.h"
#include "kernels/core/packed_weights.h"
#include "kernels/cpu/gemm_bf16.h"
#include "kernels/cpu/gemm_epilogue.h"
#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/gemm_tile.h"

// c is divided into chunks of columns, for each of which b is packed as a whole (it stays in L3), and each chunk into
// tasks of rows and columns. A task walks k in blocks: it packs its rows of a (they stay in L2), then takes the panels
// of b one at a time (they stay in L1) and multiplies tile by tile.
namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

using Pack = void(uint32_t* to, const Lines& from, int64_t first, int64_t begin, int64_t end,
                  int64_t words);

// How operands of a type are multiplied at this level.
struct Method {
  int64_t rows = kRows, columns = kColumns;  // of a tile
  int64_t depth = 1, b_depth = 1;            // elements along k of a word of a, of b
  int64_t word_multiple = 1;                 // words of b along k are padded to a multiple of this
  int64_t block = kBlock;                    // words of b along k that a task multiplies at once
  Pack *pack_a, *pack_b;
  Multiply* (*tile)(int64_t rows, int panels);
  int most_panels = 4;
  bool tiles_of_amx = false, widens = false;

  // Words along k for which a panel of a and one of b nearly fill an L1 cache of 32 KiB.
  static constexpr int64_t kBlock = kVectorBytes == 64 ? 192 : 384;
};

constexpr auto fp32 = Words::fp32, pairs = Words::pairs;

constexpr Method kFp32{.pack_a = pack_panel<float, fp32, kRows>,
                       .pack_b = pack_panel<float, fp32, kColumns>,
                       .tile = tile_function<fp32>};
// Sums of bf16 in instructions of fp32: b is widened when it is packed, or, where its packed form is kept, when it
// is used.
constexpr Method kWidened{.pack_a = pack_panel<bf16, fp32, kRows>,
                          .pack_b = pack_panel<bf16, fp32, kColumns>,
                          .tile = tile_function<fp32>};
constexpr Method kWidenedLate{.b_depth = 2,
                              .block = Method::kBlock / 2,
                              .pack_a = pack_panel<bf16, fp32, kRows>,
                              .pack_b = pack_panel<bf16, pairs, kColumns>,
                              .tile = tile_function<pairs>,
                              .widens = true};
#if defined(__AVX512F__)
constexpr Method kDot{.depth = 2,
                      .b_depth = 2,
                      .pack_a = pack_panel<bf16, pairs, kRows>,
                      .pack_b = pack_panel<bf16, pairs, kColumns>,
                      .tile = dot_function};
static_assert(kTileColumns == kColumns);  // finish() takes either's sums
constexpr Method kAmx{.rows = kTileRows,
                      .columns = kTileColumns,
                      .depth = 2,
                      .b_depth = 2,
                      .word_multiple = kTileWords,
                      .block = 512,  // its panels stay in L2
                      .pack_a = pack_tile_rows,
                      .pack_b = pack_panel<bf16, pairs, kTileColumns>,
                      .tile = amx_function,
                      .most_panels = 1,
                      .tiles_of_amx = true};
#endif

const Method& method_of(DType type, bool constant_b) {
  if (type == DType::f32) return kFp32;
#if defined(__AVX512F__)
  if (cpu_level() == CpuLevel::amx) return kAmx;
  if (cpu_level() == CpuLevel::avx512_bf16) return kDot;
#endif
  return constant_b ? kWidenedLate : kWidened;
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

class Product {
 public:
  Product(Stream& stream, const Gemm& g, const GemmOperands& o)
      : stream_(stream),
        g_(g),
        o_(o),
        method_(method_of(g.type, stream.constant_weights)),
        a_{o.a, g.m, g.k, g.a == Layout::plain ? g.k : 1, g.a == Layout::plain ? 1 : g.m},
        b_{o.b, g.n, g.k, g.b == Layout::plain ? 1 : g.k, g.b == Layout::plain ? g.n : 1},
        words_(round_up(ceil_div(g.k, method_.b_depth), method_.word_multiple)),
        panel_(words_ * method_.columns) {}

  void run() {
    choose_blocks();
    const int64_t chunk = stream_.constant_weights ? g_.n : chunk_columns();
    const int64_t threads = thread_count();
    const int64_t b_words = stream_.constant_weights ? 0 : panels(chunk) * panel_;
    auto* memory = reinterpret_cast<uint32_t*>(stream_.workspace().reserve_bytes(
        4 * (b_words + a_shared_words() + threads * thread_words())));
    packed_a_ = memory + b_words;
    of_threads_ = packed_a_ + a_shared_words();
    for (int64_t column = 0; column < g_.n; column += chunk) {
      const int64_t columns = std::min(chunk, g_.n - column);
      const uint32_t* packed_b = stream_.constant_weights ? kept_b() : memory;
      pack(stream_.constant_weights ? nullptr : memory, column, columns, column == 0);
      multiply(packed_b, column, columns);
    }
  }

 private:
  // ---- sizes
  int64_t panels(int64_t columns) const { return ceil_div(columns, method_.columns); }
  int64_t k_of(int64_t word) const { return std::min(g_.k, word * method_.b_depth); }
  int64_t a_words(int64_t b_words) const { return b_words * method_.b_depth / method_.depth; }
  bool shares_a() const { return g_.m <= block_rows_; }
  int64_t a_shared_words() const {
    return shares_a() ? round_up(g_.m, method_.rows) * a_words(words_) : 0;
  }
  int64_t a_task_words() const {
    return shares_a() ? 0 : block_rows_ * a_words(std::min(words_, block_words_));
  }
  bool in_blocks() const { return words_ > block_words_; }
  // Sums of a task between two blocks of k, or of the tiles at hand.
  int64_t sums_words() const {
    return in_blocks() ? block_rows_ * round_up(task_columns_, method_.columns)
                       : method_.most_panels * method_.rows * method_.columns;
  }
  bool widens() const { return method_.widens && g_.m > kFewRows; }
  int64_t widened_words() const {
    return widens() ? 2 * std::min(words_, block_words_) * method_.columns : 0;
  }
  int64_t thread_words() const { return a_task_words() + sums_words() + widened_words(); }

  void choose_blocks() {
    constexpr int64_t kMostRows = 192, kMostColumns = 768;
    const int64_t threads = thread_count(), least_blocks = ceil_div(g_.m, kMostRows);
    // As many for each thread, if there are more than one.
    const int64_t row_blocks = least_blocks > 1 ? round_up(least_blocks, threads) : 1;
    block_rows_ = round_up(ceil_div(g_.m, row_blocks), method_.rows);
    row_blocks_ = ceil_div(g_.m, block_rows_);
    const int64_t blocks = ceil_div(words_, method_.block);
    block_words_ = blocks ? round_up(ceil_div(words_, blocks), method_.word_multiple) : 1;
    // At least four tasks a thread, if those that pack a do not become too narrow to pay for it.
    const int64_t least = (shares_a() ? 1 : 8) * method_.columns;
    const int64_t wanted = ceil_div(g_.n * row_blocks_, 4 * threads);
    task_columns_ = std::clamp(round_up(wanted, method_.columns), least, kMostColumns);
  }
  int64_t chunk_columns() const {
    constexpr int64_t kBytes = 8 << 20;
    const int64_t fit = kBytes / 4 / std::max<int64_t>(words_, 1) / task_columns_ * task_columns_;
    return std::max(fit, task_columns_);
  }

  // ---- packing
  void pack(uint32_t* to_b, int64_t column, int64_t columns, bool with_a) {
    const int64_t b_panels = to_b ? panels(columns) : 0;
    const int64_t a_panels = with_a && shares_a() ? ceil_div(g_.m, method_.rows) : 0;
    if (a_panels + b_panels == 0) return;
    parallel_rows(a_panels + b_panels, 4 * panel_, [&](int64_t i) {
      if (i < a_panels)
        method_.pack_a(packed_a_ + i * method_.rows * a_words(words_), a_, i * method_.rows, 0,
                       g_.k, a_words(words_));
      else
        method_.pack_b(to_b + (i - a_panels) * panel_, b_,
                       column + (i - a_panels) * method_.columns, 0, g_.k, words_);
    });
  }

  // All of b, packed when it is seen first.
  const uint32_t* kept_b() {
    Buffer& kept =
        stream_.packed_weights().copies[{o_.b, g_.n, g_.k, int64_t(g_.b), int64_t(g_.type)}];
    if (kept.bytes() == 0) {
      kept = Buffer("packed weights", std::max<int64_t>(4 * panels(g_.n) * panel_, 1));
      auto* to = reinterpret_cast<uint32_t*>(kept.data());
      parallel_rows(panels(g_.n), 4 * panel_, [&](int64_t i) {
        method_.pack_b(to + i * panel_, b_, i * method_.columns, 0, g_.k, words_);
      });
    }
    return reinterpret_cast<const uint32_t*>(kept.data());
  }

  // ---- multiplying
  void multiply(const uint32_t* packed_b, int64_t column, int64_t columns) const {
    const int64_t across = ceil_div(columns, task_columns_);
    parallel_for(row_blocks_ * across, [&](int64_t task) {
      const int64_t row = task / across * block_rows_, first = task % across * task_columns_;
      const TilePlace place{row, std::min(block_rows_, g_.m - row), column + first,
                            std::min(task_columns_, columns - first)};
      run_task(packed_b + first / method_.columns * panel_, place);
    });
  }

  void run_task(const uint32_t* b, const TilePlace& task) const {
    uint32_t* mine = of_threads_ + thread_index() * thread_words();
    auto* sums = reinterpret_cast<float*>(mine + a_task_words());
#if defined(__AVX512F__)
    if (method_.tiles_of_amx) configure_tiles();
#endif
    for (int64_t word = 0; word == 0 || word < words_; word += block_words_) {
      const Block block{word, std::min(block_words_, words_ - word)};
      const uint32_t* a = packed_a_ + method_.rows * a_words(word);
      int64_t a_panel = method_.rows * a_words(words_);
      if (!shares_a()) {
        a = mine;
        a_panel = method_.rows * a_words(block.words);
        for (int64_t r = 0; r < task.rows; r += method_.rows)
          method_.pack_a(mine + r / method_.rows * a_panel, a_, task.row + r, k_of(word),
                         k_of(word + block.words), a_words(block.words));
      }
      multiply_block(block, task, a, a_panel, b, sums);
    }
#if defined(__AVX512F__)
    if (method_.tiles_of_amx) release_tiles();
#endif
  }

  struct Block {
    int64_t word, words;
  };

  void multiply_block(const Block& block, const TilePlace& task, const uint32_t* a, int64_t a_panel,
                      const uint32_t* b, float* sums) const {
    const int64_t tile = method_.rows * method_.columns;
    const int64_t row_panels = ceil_div(task.rows, method_.rows);
    const bool first = block.word == 0, last = block.word + block.words >= words_;
    const uint32_t* b_block = b + block.word * method_.columns;
    auto* widened = reinterpret_cast<uint32_t*>(sums) + sums_words();
    for (int64_t j = 0; j < panels(task.columns);) {
      const uint32_t* panel = b_block + j * panel_;
      if (widens()) {
        widen_panel(widened, panel, block.words);
        panel = widened;
      }
      // The next panel comes from the L3 cache while this one is multiplied.
      const auto* next = reinterpret_cast<const char*>(b_block + (j + 1) * panel_);
      const int64_t bytes = j + 1 < panels(task.columns) ? 4 * block.words * method_.columns : 0;
      int together = 1;
      for (int64_t i = 0; i < row_panels; ++i) {
        for (int64_t at = bytes * i / row_panels; at < bytes * (i + 1) / row_panels; at += 64)
          __builtin_prefetch(next + at, 0, 2);
        const int64_t rows = std::min(method_.rows, task.rows - i * method_.rows);
        if (row_panels == 1 && !widens()) {
          together = std::min(method_.most_panels, panels_at_once(rows));
          if (panels(task.columns) - j < together) together = 1;
        }
        float* to = in_blocks() ? sums + (j * row_panels + i) * tile : sums;
        const Method& tiles = widens() ? kWidened : method_;
        tiles.tile(rows, together)(to, a + i * a_panel, panel, 4 * panel_,
                                   widens() ? 2 * block.words : block.words, first);
        if (!last) continue;
        for (int p = 0; p < together; ++p) {
          const int64_t column = (j + p) * method_.columns;
          finish(to + p * tile, {task.row + i * method_.rows, rows, task.column + column,
                                 std::min(method_.columns, task.columns - column)});
        }
      }
      j += together;
    }
  }

  void finish(const float* sums, const TilePlace& at) const {
    const bool bf16_in = g_.type == DType::bf16, bf16_out = g_.c_type == DType::bf16;
    (bf16_in    ? bf16_out ? finish_tile<bf16, bf16, kColumns> : finish_tile<bf16, float, kColumns>
        : bf16_out ? finish_tile<float, bf16, kColumns>
                : finish_tile<float, float, kColumns>)(g_, o_, sums, at);
  }

  Stream& stream_;
  const Gemm& g_;
  const GemmOperands& o_;
  const Method& method_;
  const Lines a_, b_;
  const int64_t words_, panel_;  // of b along k; of a panel of b
  int64_t block_rows_ = 0, row_blocks_ = 0, task_columns_ = 0, block_words_ = 0;
  uint32_t *packed_a_ = nullptr, *of_threads_ = nullptr;
};

}  // namespace

void gemm(Stream& stream, const Gemm& g, const GemmOperands& o) {
  for (const void* operand : {o.a, o.b, o.bias})
    check(reinterpret_cast<uintptr_t>(operand) % size_t(size_of(g.type)) == 0,
          "gemm: an operand of {} is not aligned to its elements; copy it", name_of(g.type));
  if (g.m == 0 || g.n == 0) return;
  Product(stream, g, o).run();
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL
