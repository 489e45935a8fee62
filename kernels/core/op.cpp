#include "kernels/core/op.h"

#include <chrono>
#include <string>

#include "base/check.h"
#include "kernels/core/profile.h"

namespace laclip {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void synchronize(Stream& stream, std::string_view op) {
  try {
    stream.synchronize();
  } catch (const std::exception& error) {
    if (std::string_view(error.what()).starts_with(op)) throw;
    fail("{}: {}", op, error.what());
  }
}

}  // namespace

OpCall::OpCall(Stream& stream, const Contract& contract) : stream_(stream), contract_(contract) {
  stream.begin_op(contract.text.data());
  if (!stream.profile) return;
  stream.synchronize();
  begin_ = now();
}

void OpCall::end() {
  if (!stream_.profile) {
    if (stream_.synchronizes_each_op) synchronize(stream_, contract_.op);
    return;
  }
  stream_.synchronize();
  OpProfile::Entry& entry = stream_.profile->ops[std::string(contract_.op)];
  entry.calls += 1;
  entry.seconds += now() - begin_;
}

}  // namespace laclip
