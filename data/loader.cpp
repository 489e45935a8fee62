#include "data/loader.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/timer.h"

namespace laclip {

namespace {

// A JPEG is decoded at a fraction of its size if even the smallest crop then holds as many pixels
// as the model sees. A crop of share s and side ratio at most 4/3 has a shorter side of at least
// sqrt(s · area · 3/4); where no crop fits, the centre has the image's shorter side.
DecodeOptions decode_options(const LoaderOptions& o) {
  const double size = o.image_size;
  return {o.max_image_pixels, o.image_size,
          int64_t(std::ceil(size * size * kWidestRatio / double(o.scale.least)))};
}

}  // namespace

Loader::Loader(const SampleSource& source, LoaderOptions options)
    : source_(source),
      options_(std::move(options)),
      decode_(decode_options(options_)),
      pool_(options_.workers) {
  check(int64_t(source.size()) >= options_.batch_size,
        "a batch of {} is larger than the data of {} "
        "samples; use a smaller --batch-size",
        options_.batch_size, source.size());
  check(source.size() < (size_t(1) << 32), "{} samples are more than an epoch can hold",
        source.size());
  options_.captions.check_sources(source);
}

Loader::~Loader() { pool_.cancel(); }

std::shared_ptr<const std::vector<uint32_t>> Loader::order_of(int64_t epoch) {
  if (epoch != order_epoch_) {
    order_ = std::make_shared<const std::vector<uint32_t>>(
        Random(options_.seed, RandomUse::sample_order, uint64_t(epoch))
            .permutation(uint32_t(source_.size())));
    order_epoch_ = epoch;
  }
  return order_;
}

void Loader::seek(int64_t step) {
  pool_.cancel();
  queue_.clear();  // jobs under way keep their batch alive and are forgotten
  next_step_ = step;
}

void Loader::schedule() {
  while (int(queue_.size()) < std::max(1, options_.prefetch)) {
    auto pending = std::make_shared<Pending>();
    const int64_t B = options_.batch_size, R = options_.image_size;
    pending->batch.step = next_step_;
    pending->batch.epoch = next_step_ / steps_per_epoch();
    if (options_.resize)
      pending->batch.images.resize(size_t(B * R * R * 3));
    else
      pending->batch.crops.resize(size_t(B));
    pending->batch.captions.resize(size_t(B));
    pending->batch.samples.resize(size_t(B));
    pending->order = order_of(pending->batch.epoch);
    pending->open = B;
    queue_.push_back(pending);
    for (int64_t slot = 0; slot < B; ++slot) {
      pool_.submit([this, pending, slot] {
        load_sample(*pending, slot);
        std::lock_guard lock(mutex_);
        if (--pending->open == 0) done_.notify_all();
      });
    }
    ++next_step_;
  }
}

void Loader::load_sample(Pending& pending, int64_t slot) {
  constexpr int64_t kTries = 20;
  const auto& order = *pending.order;
  const auto samples = int64_t(order.size());
  const int64_t place = pending.batch.step % steps_per_epoch() * options_.batch_size + slot;
  std::string error;
  for (int64_t attempt = 0; attempt < kTries; ++attempt) {
    // Half an epoch away from the broken one: a replacement seldom meets its own turn.
    const size_t i = order[size_t((place + (attempt ? samples / 2 + attempt : 0)) % samples)];
    std::string reason;
    try {
      const ImageBytes bytes = source_.image(i);
      const Image image = decode_image(bytes.view, decode_, source_.place(i));
      Random random(options_.seed, RandomUse::crop, uint64_t(i), uint32_t(pending.batch.epoch));
      const Crop crop = random_crop(image.width, image.height, options_.scale, random);
      if (options_.resize) {
        const int size = options_.image_size;
        const Image square = resize(image, crop, size, size, options_.interpolation);
        std::copy(square.rgb.begin(), square.rgb.end(),
                  pending.batch.images.begin() + slot * int64_t(square.rgb.size()));
      } else {
        pending.batch.crops[size_t(slot)] =
            cut_crop(image, crop, options_.image_size, options_.interpolation);
      }
      pending.batch.captions[size_t(slot)] =
          options_.captions.choose(source_, i, options_.seed, pending.batch.epoch);
      pending.batch.samples[size_t(slot)] = i;
      return;
    } catch (const ImageError& e) {
      reason = name_of(e.fault);
      error = e.what();
    } catch (const std::exception& e) {
      reason = "unreadable file";
      error = e.what();
    }
    std::lock_guard lock(mutex_);
    report_.add(reason, error);
    if (options_.strict) break;
  }
  std::lock_guard lock(mutex_);
  if (pending.error.empty())
    pending.error = options_.strict ? error + " (--strict)"
                                    : fmt::format("{} broken samples in a row, the last one: {}",
                                                  kTries, error);
}

Batch Loader::next() {
  schedule();
  const auto pending = queue_.front();
  queue_.pop_front();
  const Timer timer;
  {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return pending->open == 0; });
  }
  seconds_waited_ += timer.seconds();
  check(pending->error.empty(), "{}", pending->error);
  schedule();
  return std::move(pending->batch);
}

FaultReport Loader::report() const {
  std::lock_guard lock(mutex_);
  return report_;
}

}  // namespace laclip
