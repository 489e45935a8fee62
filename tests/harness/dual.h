// Dual numbers a + b ε with ε² = 0: running a function on them gives its value and its directional
// derivative, exactly, without a step size.
#pragma once

#include <cmath>

namespace laclip::test {

struct Dual {
  double value = 0, slope = 0;
  Dual() = default;
  Dual(double v, double s = 0) : value(v), slope(s) {}
  Dual& operator+=(Dual b) { return *this = {value + b.value, slope + b.slope}; }
  Dual& operator-=(Dual b) { return *this = {value - b.value, slope - b.slope}; }
};

inline Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
inline Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
inline Dual operator-(Dual a) { return {-a.value, -a.slope}; }
inline Dual operator*(Dual a, Dual b) {
  return {a.value * b.value, a.slope * b.value + a.value * b.slope};
}
inline Dual operator/(Dual a, Dual b) {
  return {a.value / b.value, (a.slope * b.value - a.value * b.slope) / (b.value * b.value)};
}
inline Dual exp(Dual a) { return {std::exp(a.value), a.slope * std::exp(a.value)}; }
inline Dual log(Dual a) { return {std::log(a.value), a.slope / a.value}; }
inline Dual sqrt(Dual a) { return {std::sqrt(a.value), a.slope / (2 * std::sqrt(a.value))}; }
inline Dual erf(Dual a) {
  return {std::erf(a.value), a.slope * 1.1283791670955126 * std::exp(-a.value * a.value)};
}

inline double value_of(double x) { return x; }
inline double value_of(Dual x) { return x.value; }

}  // namespace laclip::test
