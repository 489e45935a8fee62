// A list in simulated device memory.
#pragma once

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "kernels/simt/runtime.h"
#include "kernels/simt/vector_types.h"

namespace laclip::simt {

struct Grid {
  dim3 blocks, threads;
  size_t shared_bytes = 0;
};

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::vector<T> values, size_t size = 0) {
    values.resize(std::max(size, values.size()));
    size_ = values.size();
    check(cudaMalloc(reinterpret_cast<void**>(&data_), size_ * sizeof(T)) == cudaSuccess &&
              cudaMemcpyAsync(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice,
                              nullptr) == cudaSuccess,
          "no simulated device memory");
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* get() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> list(size_);
    cudaMemcpyAsync(list.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost, nullptr);
    return list;
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace laclip::simt
