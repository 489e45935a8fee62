#include "kernels/cuda/shared_library.h"

#include <dlfcn.h>
#include <fmt/core.h>

#include <cstdlib>
#include <sstream>
#include <utility>

#include "base/check.h"

namespace laclip::cuda {
namespace {

std::string variable_text(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// What an error of the loader says, without ending the line.
std::string loader_error() {
  const char* text = dlerror();
  return text ? text : "no reason is given";
}

}  // namespace

std::vector<std::string> SharedLibrary::places(const std::string& name) {
  std::vector<std::string> places;
  std::istringstream folders(variable_text("LACLIP_LIBRARY_PATH"));
  for (std::string folder; std::getline(folders, folder, ':');)
    if (!folder.empty()) places.push_back(folder + "/" + name);
  places.push_back(name);
  for (const char* toolkit : {"CUDA_HOME", "CUDA_PATH"})
    if (const std::string folder = variable_text(toolkit); !folder.empty())
      places.push_back(folder + "/lib64/" + name);
  places.push_back("/usr/local/cuda/lib64/" + name);
  return places;
}

SharedLibrary::SharedLibrary(std::string name, std::string variable)
    : name_(std::move(name)), variable_(std::move(variable)) {
  if (const std::string file = variable_text(variable_.c_str()); !file.empty()) {
    handle_ = dlopen(file.c_str(), RTLD_NOW);
    check(handle_ != nullptr, "{}={}: {}; name the file of {}", variable_, file, loader_error(),
          name_);
    path_ = file;
    return;
  }
  for (const std::string& place : places(name_)) {
    handle_ = dlopen(place.c_str(), RTLD_NOW);
    if (!handle_) continue;
    path_ = place;
    return;
  }
}

void* SharedLibrary::find(const char* symbol) const {
  return handle_ ? dlsym(handle_, symbol) : nullptr;
}

std::string SharedLibrary::cure() const {
  return fmt::format(
      "{0} is not found; set {1} to the file, or LACLIP_LIBRARY_PATH to its folder (of PyTorch's "
      "wheels: site-packages/nvidia/*/lib)",
      name_, variable_);
}

}  // namespace laclip::cuda
