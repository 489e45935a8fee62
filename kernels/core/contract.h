// The contract of an op, written as a string and parsed when the op is declared:
//
//   "layernorm_forward: y[N C] mean[N]:f32 rstd[N]:f32 <- x[N C] gamma[C] beta?[C]"
//
// Operands stand in the order of the signature. A dimension is a letter (bound by its first
// appearance alone), a number, a multiple `3*C`, or a sum `B+1`. `?` allows a null operand.
// Element types: none written = the op's activation type, f32 or bf16, the same for all of them;
// `:f32 :bf16 :i32 :u8` = that type; `:*` = f32 or bf16, whatever the others are.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "kernels/core/roles.h"

namespace laclip {

struct DimensionRule {  // multiple * symbol + offset; symbol 0 = the number `offset`
  char symbol = 0;
  int64_t multiple = 1, offset = 0;
};

enum class TypeRule : uint8_t { activation, any_float, f32, bf16, i32, u8 };

struct OperandRule {
  std::string_view name;
  bool optional = false;
  TypeRule type = TypeRule::activation;
  std::array<DimensionRule, Shape::kMaxRank> dimensions{};
  int rank = 0;
};

struct Contract {
  static constexpr int kMaxOperands = 16;
  std::string_view text, op;
  std::array<OperandRule, kMaxOperands> operands{};
  int outputs = 0, count = 0;  // the first `outputs` operands stand left of "<-"

  consteval Contract(std::string_view contract);

  // Throws Error "op: gamma is [4] but C = 8 (y is [2 8])" on the first operand that breaks it.
  void check(const Tensor* const* tensors, Device device) const;
};

// ---- the parser; a malformed contract is a compile error (the throw is not a constant expression)
namespace detail {

struct ContractParser {
  std::string_view text;
  size_t at = 0;

  constexpr bool done() const { return at >= text.size(); }
  constexpr char peek() const { return done() ? '\0' : text[at]; }
  constexpr void skip_spaces() {
    while (peek() == ' ') ++at;
  }
  constexpr bool accept(std::string_view token) {
    if (text.substr(at, token.size()) != token) return false;
    at += token.size();
    return true;
  }
  constexpr void expect(std::string_view token) {
    if (!accept(token)) throw "malformed contract";
  }
  static constexpr bool digit(char c) { return c >= '0' && c <= '9'; }
  static constexpr bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
  constexpr int64_t number() {
    int64_t value = 0;
    while (digit(peek())) value = value * 10 + (text[at++] - '0');
    return value;
  }
  constexpr std::string_view name() {
    const size_t begin = at;
    while (letter(peek()) || digit(peek()) || peek() == '_') ++at;
    if (at == begin) throw "a name is missing in the contract";
    return text.substr(begin, at - begin);
  }
  constexpr DimensionRule dimension() {
    DimensionRule rule;
    if (digit(peek())) {
      const int64_t value = number();
      if (!accept("*")) return {0, 1, value};
      rule.multiple = value;
    }
    if (!letter(peek())) throw "a dimension is one letter, a number, k*L or L+k";
    rule.symbol = text[at++];
    if (accept("+")) rule.offset = number();
    return rule;
  }
  constexpr OperandRule operand() {
    OperandRule rule;
    rule.name = name();
    rule.optional = accept("?");
    expect("[");
    for (skip_spaces(); !accept("]"); skip_spaces())
      rule.dimensions[size_t(rule.rank++)] = dimension();
    if (accept(":*"))
      rule.type = TypeRule::any_float;
    else if (accept(":f32"))
      rule.type = TypeRule::f32;
    else if (accept(":bf16"))
      rule.type = TypeRule::bf16;
    else if (accept(":i32"))
      rule.type = TypeRule::i32;
    else if (accept(":u8"))
      rule.type = TypeRule::u8;
    return rule;
  }
};

}  // namespace detail

consteval Contract::Contract(std::string_view contract) : text(contract) {
  detail::ContractParser parser{contract};
  op = parser.name();
  parser.expect(":");
  bool inputs = false;
  for (parser.skip_spaces(); !parser.done(); parser.skip_spaces()) {
    if (parser.accept("<-")) {
      inputs = true;
      continue;
    }
    operands[size_t(count++)] = parser.operand();
    if (!inputs) ++outputs;
  }
}

}  // namespace laclip
