// One training step of CLIP on a global batch of any size.
//
// 1. features of all micro-batches   2. loss and its gradient on all features   3. backward of each
// micro-batch. With one micro-batch the activations of part 1 serve part 3; with more, the forward
// pass is run again for each, so memory is that of one micro-batch (Gao et al. 2021).
//
// On a GPU each part is a graph (all three together, with one micro-batch). So that numbers of text rows
// come again, captions are filled up with rows that nobody reads (TextBatch::fill_up).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/optimizer.h"
#include "kernels/core/graphs.h"
#include "kernels/core/upload.h"
#include "models/clip.h"
#include "models/crop_layout.h"

namespace laclip {

struct ClipBatch {
  Tensor images;                               // [B R R 3] uint8, on the host or uploaded; or:
  std::optional<CropTensors> crops;            // as they were decoded, uploaded
  std::vector<std::vector<int32_t>> captions;  // B token lists with start and end
};

// Memory of a step beside the parameters: images; features and their gradients of a batch; activations of a
// micro-batch of `pairs`, all captions as long as they can be. Crops as they were decoded need more than
// images, as large as they are.
int64_t image_bytes(const ClipConfig& config, int64_t batch);  // of one batch; a GPU has three
int64_t feature_bytes(const Clip& model, int64_t batch);
int64_t activation_bytes(const Clip& model, int64_t pairs);

class ClipTrainer {
 public:
  // Memory for batches of `batch` pairs in micro-batches of `micro_batch` is planned here.
  ClipTrainer(Clip& model, int64_t batch, int64_t micro_batch);

  // Sets the gradients of all parameters. A loss that is not finite leaves them undefined; look at it
  // before apply(). `meanwhile` is called while the device works.
  Gradients compute_gradients(const ClipBatch& batch, const std::function<void()>& meanwhile = {});
  // Begins to bring the images of the next batch to the device; its ClipBatch takes the result.
  Tensor upload(const Tensor& images) { return upload_.begin(images); }
  // The same of crops that the device resizes; it is a GPU then.
  CropTensors upload(std::span<const DecodedCrop> crops);
  // step counts from 1
  void apply(const OptimizerOptions& options, double lr, int64_t step);

  Stream& stream() { return stream_; }
  int64_t graph_launches() const { return graphs_.launches(); }
  int64_t activation_bytes() const { return activation_bytes_; }

 private:
  struct Micro {
    Tensor images;
    TextBatch texts;
    Tensor image_features, text_features;  // [b E], parts of those of the batch
    Tensor dimage_features, dtext_features;
  };
  struct Saved {
    Clip::SavedImages images;
    Clip::SavedTexts texts;
  };
  Tensor images_of(const ClipBatch& batch);  // where the stream finds them
  std::vector<Micro> split(Tensor images, const ClipBatch& batch) const;
  enum class Part { all, features, loss, backward };  // of a step, as graphs
  using MicroWork = std::function<void(Step&, const Micro&, const TextRows&)>;
  void for_each(const std::vector<Micro>& parts, Part part, const MicroWork& work);
  void forward(Step& step, const Micro& micro, const TextRows& texts, Saved* saved) const;
  void backward(Step& step, const Micro& micro, const Saved& saved) const;
  Tensor features(int64_t side) const, dfeatures(int64_t side) const;  // [batch E]: image, text
  Tensor loss_value() const;                                           // [1]
  void loss(int64_t B);  // with its gradient, after the gradients of all parameters are set to zero

  Clip& model_;
  int64_t batch_, micro_batch_, embed_;
  Stream stream_;
  Upload upload_;
  Buffer images_;     // that the device has made of crops
  Buffer features_;   // image and text [2 B E] in the model's type
  Buffer dfeatures_;  // fp32: their gradients [2 B E], lse [2 B], loss [1]
  int64_t activation_bytes_;
  Arena arena_;
  Graphs graphs_;
};

}  // namespace laclip
