// A library of NVIDIA's that is opened when it is first needed, so that a program built here runs
// without it, too. It is looked for in this order:
//
//   the file that an environment variable of its own names, such as LACLIP_CUBLASLT
//   the folders in LACLIP_LIBRARY_PATH, separated by colons: PyTorch's wheels bring the libraries in
//   site-packages/nvidia/*/lib, where no loader looks
//   where the loader looks (LD_LIBRARY_PATH, ldconfig)
//   $CUDA_HOME/lib64, $CUDA_PATH/lib64, /usr/local/cuda/lib64
#pragma once

#include <string>
#include <vector>

namespace laclip::cuda {

class SharedLibrary {
 public:
  // `name` is the one with the major version, "libcublasLt.so.13". Error if `variable` names a file that
  // cannot be opened. It is never closed: its functions may be called until the program ends.
  SharedLibrary(std::string name, std::string variable);

  explicit operator bool() const { return handle_ != nullptr; }
  const std::string& path() const { return path_; }  // by which it was opened; "" if it was not

  // A function of the library; null if it has none of this name, or there is no library.
  template <class Function>
  Function* function(const char* symbol) const {
    return reinterpret_cast<Function*>(find(symbol));
  }

  // For a warning: "libcublasLt.so.13 is not found; set LACLIP_CUBLASLT to …".
  std::string cure() const;

  // Where it is looked for behind the variable, in order.
  static std::vector<std::string> places(const std::string& name);

 private:
  void* find(const char* symbol) const;

  std::string name_, variable_, path_;
  void* handle_ = nullptr;
};

}  // namespace laclip::cuda
